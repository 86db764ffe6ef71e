// LangChain.js: an Embeddings class.
import { Embeddings } from '@langchain/core/embeddings';
import { createEmbeddingFunction } from './index.mjs';

export class ThimbleEmbeddings extends Embeddings {
  #embed;

  // `fields` are those of createEmbeddingFunction, and maxConcurrency and the like of LangChain.
  constructor({ maxConcurrency, maxRetries, onFailedAttempt, ...options } = {}) {
    super({ maxConcurrency, maxRetries, onFailedAttempt });
    this.#embed = createEmbeddingFunction(options);
  }

  embedDocuments(documents) {
    return this.caller.call(() => this.#embed(documents));
  }

  embedQuery(document) {
    return this.caller.call(() => this.#embed(document));
  }
}
