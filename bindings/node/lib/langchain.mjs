// LangChain.js: an Embeddings class, and a document compressor that ranks.
import { Document } from '@langchain/core/documents';
import { Embeddings } from '@langchain/core/embeddings';
import { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors';
import { Embedder, createEmbeddingFunction, rerank } from './index.mjs';
import { DEFAULT_MODEL } from './options.js';
import { checkRerankOptions } from './reranker.js';

// LangChain would try six times more, over a minute, what fails again.
function tryOverloadedAgain(error) {
  if (error?.code !== 'overloaded') throw error;
}

export class ThimbleEmbeddings extends Embeddings {
  #embed;
  #options;
  #prompts;  // Whether the model's own are asked for.
  #info;  // Of the model, once it was asked for.

  // `fields` are those of createEmbeddingFunction, `prompts`, and maxConcurrency and the like of LangChain.
  constructor({ maxConcurrency, maxRetries, onFailedAttempt = tryOverloadedAgain, prompts = false, ...options } = {}) {
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

// A document compressor, for a ContextualCompressionRetriever.
export class ThimbleRerank extends BaseDocumentCompressor {
  #options;

  // `fields` are the options of rerank.
  constructor(fields = {}) {
    super();
    this.#options = checkRerankOptions(fields);
  }

  async compressDocuments(documents, query) {
    const ranked = await rerank(query, documents.map(({ pageContent }) => pageContent), this.#options);
    return ranked.map(({ index, score }) => {
      const { pageContent, metadata, id } = documents[index];
      return new Document({ pageContent, metadata: { ...metadata, relevanceScore: score }, id });
    });
  }
}
