// LlamaIndex.TS: an embedding for Settings.embedModel.
import { BaseEmbedding } from '@llamaindex/core/embeddings';
import { createEmbeddingFunction } from './index.mjs';

export class ThimbleEmbedding extends BaseEmbedding {
  #embed;

  // `options` are those of createEmbeddingFunction.
  constructor(options = {}) {
    super();
    this.#embed = createEmbeddingFunction(options);
  }

  getTextEmbedding(text) {
    return this.#embed(text);
  }

  getTextEmbeddings = (texts) => this.#embed(texts);
}
