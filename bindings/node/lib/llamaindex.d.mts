import { BaseEmbedding } from '@llamaindex/core/embeddings';
import type { EmbeddingFunctionOptions } from './index.js';

/** An embedding of LlamaIndex.TS. */
export class ThimbleEmbedding extends BaseEmbedding {
  constructor(options?: EmbeddingFunctionOptions);
  getTextEmbedding(text: string): Promise<number[]>;
}
