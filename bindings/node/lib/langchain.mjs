// LangChain.js: an Embeddings class.
import { Embeddings } from '@langchain/core/embeddings';
import { Embedder, createEmbeddingFunction } from './index.mjs';
import { DEFAULT_MODEL } from './options.js';

export class ThimbleEmbeddings extends Embeddings {
  #embed;
  #options;
  #prompts;  // Whether the model's own are asked for.
  #info;  // Of the model, once it was asked for.

  // `fields` are those of createEmbeddingFunction, `prompts`, and maxConcurrency and the like of LangChain.
  constructor({ maxConcurrency, maxRetries, onFailedAttempt, prompts = false, ...options } = {}) {
    super({ maxConcurrency, maxRetries, onFailedAttempt });
    this.#options = options;
    this.#prompts = prompts;
    this.#embed = createEmbeddingFunction(options);
  }

  embedDocuments(documents) {
    return this.caller.call(async () => this.#embed(documents, await this.#call(['passage', 'document'])));
  }

  embedQuery(document) {
    return this.caller.call(async () => this.#embed(document, await this.#call(['query'])));
  }

  // The options of a call: the first of these prompts that the model has, if prompts are asked for.
  async #call(names) {
    if (!this.#prompts) return {};
    const { modelName = DEFAULT_MODEL, ...options } = this.#options;
    this.#info ??= (await Embedder.create(modelName, options)).info;
    const promptName = names.find((name) => name in this.#info.prompts);
    return promptName === undefined ? {} : { promptName };
  }
}
