import { BaseEmbedding } from '@llamaindex/core/embeddings';
import type { MessageContent } from '@llamaindex/core/llms';
import type { BaseNodePostprocessor } from '@llamaindex/core/postprocessor';
import type { NodeWithScore } from '@llamaindex/core/schema';
import type { EmbeddingFunctionOptions, PoolOptions, RerankerOptions } from './index.js';

/** An embedding of LlamaIndex.TS. */
export class ThimbleEmbedding extends BaseEmbedding {
  constructor(options?: EmbeddingFunctionOptions);
  getTextEmbedding(text: string): Promise<number[]>;
}

/** A postprocessor of nodes of LlamaIndex.TS. It returns the nodes best first, with their scores. */
export class ThimbleRerank implements BaseNodePostprocessor {
  /** `model` is a reranker, by default ms-marco-MiniLM-L6-v2; `topN` limits the nodes. */
  constructor(options?: { model?: string; topN?: number } & RerankerOptions & PoolOptions);
  postprocessNodes(nodes: NodeWithScore[], query?: MessageContent): Promise<NodeWithScore[]>;
}
