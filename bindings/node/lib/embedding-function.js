// createEmbeddingFunction: an async function from texts to arrays of numbers.
'use strict';

const { remoteEngine } = require('./backends/engine.js');
const { isLocal, refuseRemoteOptions, remoteOptions } = require('./backends/options.js');
const { withSignals } = require('./backends/scope.js');
const { parseBackends } = require('./backends/table.js');
const { EMBEDDER_OPTIONS, Embedder, openLocalEngine } = require('./embedder.js');
const { sharedPool } = require('./engine.js');
const { describe, invalid } = require('./errors.js');
const { mockPrompt, mockVector } = require('./mock.js');
const {
  POOL_OPTIONS, backendOf, checkModel, checkNames, checkOneOf, checkSignal, checkTexts, poolOptions, vectorOptions,
} = require('./options.js');

const DEFAULT_MODEL = 'all-MiniLM-L6-v2';

function createEmbeddingFunction(options = {}) {
  checkNames(options, 'options', ['modelName', 'compat', ...EMBEDDER_OPTIONS, ...POOL_OPTIONS]);
  const { modelName, compat, signal, ...rest } = options;
  const localModel = modelName ?? DEFAULT_MODEL;
  checkModel(localModel, rest.dtype, 'modelName');
  checkOneOf(compat, 'compat', ['brainy']);
  checkSignal(signal);
  const pool = poolOptions(rest);
  vectorOptions(rest);
  remoteOptions(rest);

  // One embedder or engine for each backend: tests may change THIMBLE_BACKEND between calls.
  const embedders = new Map();
  function embedderOf(backend) {
    if (!embedders.has(backend)) {
      const promise = Embedder.create(localModel, { ...rest, backend });
      embedders.set(backend, promise);
      promise.catch(() => embedders.delete(backend));  // The next call tries again.
    }
    return embedders.get(backend);
  }
  const engines = new Map();
  function engineOf(backends) {
    if (!engines.has(backends)) {
      const named = rest.backend !== undefined && parseBackends(backends).length === 1 ? parseBackends(backends)[0].model : undefined;
      if (named && modelName && named !== modelName) {
        throw invalid(`modelName: expected ${describe(named)}, as in the name of the backend, found ${describe(modelName)}`);
      }
      const openLocal = (name) => openLocalEngine(() => sharedPool(pool), name, localModel, { ...rest, ...pool });
      engines.set(backends, remoteEngine(backends, modelName, rest, openLocal));
    }
    return engines.get(backends);
  }

  const atFirst = backendOf(rest.backend, localModel);
  if (atFirst === 'native') refuseRemoteOptions(rest);
  if (!isLocal(atFirst)) engineOf(atFirst);

  // Vectors of a list of texts.
  async function embedAll(texts, call) {
    const backend = backendOf(rest.backend, localModel);
    const signals = [signal, call.signal].filter(Boolean);
    signals.forEach(checkSignal);
    const promptName = call.promptName ?? rest.promptName;
    if (backend === 'mock') {
      const prompt = mockPrompt(promptName);
      return texts.map((text) => scaled(mockVector(prompt + text), rest.normalize));
    }
    return withSignals(signals, async (either) => {
      if (!isLocal(backend)) return embedRemotely(engineOf(backend), texts, { signal: either, promptName });
      const embedder = await embedderOf(backend);
      const vectors = await embedder.embed(texts, { signal: either, promptName });
      return vectors.map((vector) => Array.from(vector));
    });
  }

  if (compat === 'brainy') return (data, call = {}) => embedFirst(data, call, embedAll);
  return async function embed(texts, call = {}) {
    checkNames(call, 'options', ['signal', 'promptName']);
    const vectors = await embedAll(checkTexts(texts), call);
    return typeof texts === 'string' ? vectors[0] : vectors;
  };
}

async function embedRemotely(engine, texts, options) {
  try {
    return (await engine.embed(texts, options)).map(({ vector }) => Array.from(vector));
  } catch (error) {
    if (error.partial) error.partial = error.partial.map((vector) => vector && Array.from(vector));
    throw error;
  }
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
  // Of a text where there is none only the number of values counts; providers refuse an empty one.
  const [vector] = await embedAll([text ?? 'blank'], call);
  return text === undefined ? vector.fill(0) : vector;
}

module.exports = { createEmbeddingFunction };
