// LlamaIndex.TS: an embedding for Settings.embedModel, and a postprocessor of nodes that ranks.
import { BaseEmbedding } from '@llamaindex/core/embeddings';
import { MetadataMode } from '@llamaindex/core/schema';
import { extractText } from '@llamaindex/core/utils';
import { createEmbeddingFunction, rerank } from './index.mjs';
import { checkRerankOptions } from './reranker.js';

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

export class ThimbleRerank {
  #options;

  // `options` are those of rerank.
  constructor(options = {}) {
    this.#options = checkRerankOptions(options);
  }

  async postprocessNodes(nodes, query) {
    if (query === undefined) throw new Error('ThimbleRerank needs the query');
    const texts = nodes.map(({ node }) => node.getContent(MetadataMode.ALL));
    const ranked = await rerank(extractText(query), texts, this.#options);
    return ranked.map(({ index, score }) => ({ ...nodes[index], score }));
  }
}
