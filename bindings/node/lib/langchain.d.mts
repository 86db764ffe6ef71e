import type { DocumentInterface } from '@langchain/core/documents';
import { Embeddings, type EmbeddingsParams } from '@langchain/core/embeddings';
import { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors';
import type { EmbeddingFunctionOptions, PoolOptions, RerankerOptions } from './index.js';

/** Embeddings of LangChain.js. */
export class ThimbleEmbeddings extends Embeddings {
  /**
   * `prompts` puts the model's prompts before the texts: query before queries, passage or document before documents.
   * `maxRetries` counts calls that failed as overloaded; other errors are final, unless `onFailedAttempt` decides otherwise.
   */
  constructor(fields?: EmbeddingFunctionOptions & EmbeddingsParams & { prompts?: boolean });
  embedDocuments(documents: string[]): Promise<number[][]>;
  embedQuery(document: string): Promise<number[]>;
}

/**
 * A document compressor of LangChain.js. It returns the documents best first, with the score in `metadata.relevanceScore`.
 */
export class ThimbleRerank extends BaseDocumentCompressor {
  /** `model` is a reranker, by default ms-marco-MiniLM-L6-v2; `topN` limits the documents. */
  constructor(fields?: { model?: string; topN?: number } & RerankerOptions & PoolOptions);
  compressDocuments(documents: DocumentInterface[], query: string): Promise<DocumentInterface[]>;
}
