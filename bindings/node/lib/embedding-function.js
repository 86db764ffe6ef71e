// createEmbeddingFunction: an async function from texts to arrays of numbers.
'use strict';

const { isLocal, refuseRemoteOptions, remoteOptions } = require('./backends/options.js');
const { parseBackends } = require('./backends/table.js');
const { EMBEDDER_OPTIONS, Embedder, openLocalEngine, remoteEngine } = require('./embedder.js');
const { sharedPool } = require('./engine.js');
const { describe, invalid } = require('./errors.js');
const { numbersOf } = require('./half.js');
const { mockPrompt, mockVector } = require('./mock.js');
const {
  DEFAULT_MODEL, POOL_OPTIONS, backendOf, checkModel, checkNames, checkSignal, checkTexts, poolOptions, vectorOptions,
} = require('./options.js');
const { once, within } = require('./promises.js');

function createEmbeddingFunction(options = {}) {
  checkNames(options, 'options', ['modelName', ...EMBEDDER_OPTIONS, ...POOL_OPTIONS]);
  const { modelName, signal, ...rest } = options;
  const localModel = modelName ?? DEFAULT_MODEL;
  checkModel(localModel, rest.dtype, 'modelName');
  checkSignal(signal);
  const pool = poolOptions(rest);
  vectorOptions(rest);
  remoteOptions(rest);

  // What embeds with each backend, as openLocal() and openRemote(): tests may change THIMBLE_BACKEND between calls.
  const functions = new Map();
  function functionOf(backend) {
    if (!functions.has(backend)) functions.set(backend, isLocal(backend) ? openLocal(backend) : openRemote(backend));
    return functions.get(backend);
  }

  function openLocal(backend) {
    const open = once(() => Embedder.create(localModel, { ...rest, backend }));
    return async (texts, call) => (await (await open()).embed(texts, call)).map(numbersOf);
  }

  function openRemote(backends) {
    const [{ model: named }, ...others] = parseBackends(backends);
    if (rest.backend !== undefined && others.length === 0 && named && modelName && named !== modelName) {
      throw invalid(`modelName: expected ${describe(named)}, as in the name of the backend, found ${describe(modelName)}`);
    }
    const openNative = (name) => openLocalEngine(() => sharedPool(pool), name, localModel, { ...rest, ...pool, precision: undefined });
    const engine = remoteEngine(backends, modelName, rest, openNative);
    return async (texts, call) => {
      try {
        return (await engine.embed(texts, call)).map(({ vector }) => numbersOf(vector));
      } catch (error) {
        if (error?.partial) error.partial = error.partial.map((vector) => vector && numbersOf(vector));
        throw error;
      }
    };
  }

  const atFirst = backendOf(rest.backend, localModel);
  if (atFirst === 'native') refuseRemoteOptions(rest);
  if (!isLocal(atFirst)) functionOf(atFirst);

  async function embedAll(texts, call) {
    const backend = backendOf(rest.backend, localModel);
    const signals = [signal, call.signal].filter(Boolean);
    signals.forEach(checkSignal);
    const promptName = call.promptName ?? rest.promptName;
    if (backend === 'mock' && (rest.precision ?? 'float32') === 'float32') {
      const prompt = mockPrompt(promptName);
      return texts.map((text) => scaled(mockVector(prompt + text, rest.dimensions), rest.normalize));
    }
    const embed = (either) => functionOf(backend)(texts, { signal: either, promptName });
    return signals.length < 2 ? embed(signals[0]) : within(signals, Infinity, undefined, embed);
  }

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

module.exports = { createEmbeddingFunction };
