// Chroma: an embedding function for createCollection() and getCollection().
import { registerEmbeddingFunction } from 'chromadb';
import { createEmbeddingFunction } from './index.mjs';
import { DEFAULT_MODEL } from './options.js';

// Names of a configuration, and of the options that they stand for.
const CONFIG = {
  backend: 'backend', base_url: 'baseUrl', space: 'space', dimensions: 'dimensions', model_name: 'modelName', revision: 'revision',
  dtype: 'dtype', pooling: 'pooling', normalize: 'normalize', precision: 'precision', max_tokens: 'maxTokens', truncation: 'truncation',
  prompt_name: 'promptName', long_texts: 'longTexts', chunk_overlap: 'chunkOverlap',
};

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
    const { backend = 'native' } = this.#options;
    const options = backend === 'native' ? { modelName: DEFAULT_MODEL, dtype: 'q8', ...this.#options } : this.#options;
    const given = Object.entries(CONFIG).map(([key, name]) => [key, options[name]]);
    return Object.fromEntries(given.filter(([, value]) => value !== undefined));
  }

  static buildFromConfig(config) {
    return new ThimbleEmbeddingFunction(Object.fromEntries(
      Object.entries(config).map(([key, value]) => [CONFIG[key] ?? key, value])));
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
