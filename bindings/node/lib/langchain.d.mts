import { Embeddings, type EmbeddingsParams } from '@langchain/core/embeddings';
import type { EmbeddingFunctionOptions } from './index.js';

/** Embeddings of LangChain.js. */
export class ThimbleEmbeddings extends Embeddings {
  constructor(fields?: EmbeddingFunctionOptions & EmbeddingsParams);
  embedDocuments(documents: string[]): Promise<number[][]>;
  embedQuery(document: string): Promise<number[]>;
}
