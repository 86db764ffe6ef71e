// createEmbeddingFunction: an async function from texts to arrays of numbers.
'use strict';

const { EMBEDDER_OPTIONS, Embedder } = require('./embedder.js');
const { describe, invalid } = require('./errors.js');
const { mockPrompt, mockVector } = require('./mock.js');
const {
  POOL_OPTIONS, backendOf, checkModel, checkNames, checkOneOf, checkSignal, checkTexts, poolOptions, vectorOptions,
} = require('./options.js');

const DEFAULT_MODEL = 'all-MiniLM-L6-v2';

function createEmbeddingFunction(options = {}) {
  checkNames(options, 'options', ['modelName', 'compat', ...EMBEDDER_OPTIONS, ...POOL_OPTIONS]);
  const { modelName = DEFAULT_MODEL, compat, signal, ...rest } = options;
  checkModel(modelName, rest.dtype);
  checkOneOf(compat, 'compat', ['brainy']);
  checkSignal(signal);
  poolOptions(rest);
  vectorOptions(rest);
  backendOf(rest.backend);

  // One embedder for each backend: tests may change THIMBLE_BACKEND between calls.
  const embedders = new Map();
  function embedderOf(backend) {
    if (!embedders.has(backend)) {
      const promise = Embedder.create(modelName, { ...rest, backend });
      embedders.set(backend, promise);
      promise.catch(() => embedders.delete(backend));  // The next call tries again.
    }
    return embedders.get(backend);
  }

  // Vectors of a list of texts.
  async function embedAll(texts, call) {
    const backend = backendOf(rest.backend);
    const signals = [signal, call.signal].filter(Boolean);
    signals.forEach(checkSignal);
    const promptName = call.promptName ?? rest.promptName;
    if (backend === 'mock') {
      const prompt = mockPrompt(promptName);
      return texts.map((text) => scaled(mockVector(prompt + text), rest.normalize));
    }
    const embedder = await embedderOf(backend);
    const either = signals.length === 2 ? AbortSignal.any(signals) : signals[0];
    const vectors = await embedder.embed(texts, { signal: either, promptName });
    return vectors.map((vector) => Array.from(vector));
  }

  if (compat === 'brainy') return (data, call = {}) => embedFirst(data, call, embedAll);
  return async function embed(texts, call = {}) {
    checkNames(call, 'options', ['signal', 'promptName']);
    const vectors = await embedAll(checkTexts(texts), call);
    return typeof texts === 'string' ? vectors[0] : vectors;
  };
}

function scaled(vector, normalize) {
  if (!normalize) return vector;
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return vector.map((value) => value / length);
}

// The contract of Brainy's embedding functions: one vector whatever comes, the first one of an array; zeros where there
// is nothing but blanks.
async function embedFirst(data, call, embedAll) {
  if (typeof data !== 'string' && !(Array.isArray(data) && data.every((item) => typeof item === 'string'))) {
    throw invalid(`data: expected a string or an array of strings, found ${describe(data)}`);
  }
  const text = (typeof data === 'string' ? [data] : data).find((item) => item.trim() !== '');
  const [vector] = await embedAll([text ?? ''], call);
  return text === undefined ? vector.fill(0) : vector;
}

module.exports = { createEmbeddingFunction };
