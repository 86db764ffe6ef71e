// The same functions and classes for import; there is one copy of them however they are loaded.
import thimble from './index.js';

export const {
  Embedder, ModelPool, Reranker, ThimbleError, createEmbeddingFunction, knownModels, list, memory, mockEmbeddingFunction,
  plan, pull, remove, rerank,
} = thimble;
