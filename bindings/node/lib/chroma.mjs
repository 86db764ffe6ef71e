// Chroma: an embedding function for createCollection() and getCollection().
import { registerEmbeddingFunction } from 'chromadb';
import { createEmbeddingFunction } from './index.mjs';

export class ThimbleEmbeddingFunction {
  name = 'thimble';
  #options;
  #embed;

  // `options` are those of createEmbeddingFunction.
  constructor(options = {}) {
    this.#options = options;
    this.#embed = createEmbeddingFunction(options);
  }

  generate(texts) {
    return this.#embed(texts);
  }

  defaultSpace() {
    return 'cosine';
  }

  supportedSpaces() {
    return ['cosine', 'l2', 'ip'];
  }

  // What makes the same vectors again: not where models are, nor what they may take.
  getConfig() {
    const { modelName = 'all-MiniLM-L6-v2', dtype = 'q8', pooling, normalize, maxTokens } = this.#options;
    const config = { model_name: modelName, dtype, pooling, normalize, max_tokens: maxTokens };
    return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  }

  static buildFromConfig({ model_name: modelName, max_tokens: maxTokens, ...rest }) {
    return new ThimbleEmbeddingFunction({ modelName, ...(maxTokens === undefined ? {} : { maxTokens }), ...rest });
  }

  validateConfigUpdate(config) {
    for (const [name, value] of Object.entries(this.getConfig())) {
      if (name in config && config[name] !== value) {
        throw new Error(`thimble: ${name} of a collection cannot change from ${value} to ${config[name]}`);
      }
    }
  }
}

// A collection names its function; with this the client finds it again.
registerEmbeddingFunction('thimble', ThimbleEmbeddingFunction);
