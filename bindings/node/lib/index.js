// thimble for Node.js. index.d.ts says what each of these does.
'use strict';

const { addon } = require('./addon.js');
const { Embedder } = require('./embedder.js');
const { createEmbeddingFunction } = require('./embedding-function.js');
const { callSync } = require('./engine.js');
const { ThimbleError } = require('./errors.js');
const { mockEmbeddingFunction } = require('./mock.js');
const { ModelPool, plan } = require('./pool.js');
const { pull } = require('./pull.js');
const { Reranker, rerank } = require('./reranker.js');
const { knownModels, list, remove } = require('./store.js');

const memory = () => callSync(addon(), 'memory');

module.exports = {
  Embedder, ModelPool, Reranker, ThimbleError, createEmbeddingFunction, knownModels, list, memory, mockEmbeddingFunction,
  plan, pull, remove, rerank,
};
