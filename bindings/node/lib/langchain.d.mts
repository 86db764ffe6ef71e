import { Embeddings, type EmbeddingsParams } from '@langchain/core/embeddings';
import type { EmbeddingFunctionOptions } from './index.js';

/** Embeddings of LangChain.js. */
export class ThimbleEmbeddings extends Embeddings {
  /**
   * `prompts` puts the model's prompts before the texts: query before queries, passage or document before documents.
   */
  constructor(fields?: EmbeddingFunctionOptions & EmbeddingsParams & { prompts?: boolean });
  embedDocuments(documents: string[]): Promise<number[][]>;
  embedQuery(document: string): Promise<number[]>;
}
