// ModelPool: models by name, and what a model would take.
'use strict';

const { call, callSync, makePool, sharedPool } = require('./engine.js');
const { EMBEDDER_OPTIONS, openEmbedder } = require('./embedder.js');
const { invalid } = require('./errors.js');
const { POOL_OPTIONS, checkModel, checkNames, checkSignal, downloadOf, poolOptions, withRevision } = require('./options.js');
const { openOrPull } = require('./pull.js');
const { RERANKER_OPTIONS, openReranker } = require('./reranker.js');

class ModelPool {
  #pool;
  #options;  // {folder, download, threads}

  constructor(options = {}) {
    checkNames(options, 'options', POOL_OPTIONS);
    const checked = poolOptions(options);
    if (options.cache !== undefined && checked.cachePath === undefined) {
      throw invalid('cache.path: a pool keeps vectors in a file; a cache in memory is an option of getModel, for remote backends');
    }
    this.#options = { folder: checked.folder, download: downloadOf(options), threads: checked.threads };
    this.#pool = makePool(checked);
  }

  async getModel(model, options = {}) {
    checkNames(options, 'options', EMBEDDER_OPTIONS);
    checkModel(model, options.dtype);
    if (options.cache?.path !== undefined) throw invalid('cache.path: a pool has one cache; pass it to new ModelPool');
    return openEmbedder(() => this.#open(), model, { ...options, ...this.#options });
  }

  async getReranker(model, options = {}) {
    checkNames(options, 'options', RERANKER_OPTIONS);
    checkModel(model, options.dtype);
    return openReranker(() => this.#open(), model, { ...options, ...this.#options });
  }

  async plan(model, options) {
    return this.#call('plan', model, options);
  }

  async preload(model, options) {
    await this.#call('open', model, options, false);
  }

  async pin(model, options) {
    await this.#call('open', model, options, true);
  }

  unpin(model, options) {
    const { name, dtype } = named(model, options);
    callSync(this.#open(), 'unpin', name, dtype ?? '');
  }

  async unload(model, options) {
    const { name, dtype } = named(model, options);
    await call(this.#open(), 'unload', undefined, name, dtype ?? '');
  }

  stats() {
    return callSync(this.#open(), 'stats');
  }

  async dispose() {
    const pool = this.#pool;
    this.#pool = undefined;
    if (pool === undefined) return;
    // A model is gone when the calls that use it are.
    for (const { name, dtype } of callSync(pool, 'stats').models) {
      await call(pool, 'unload', undefined, name, dtype);
    }
    pool.close();
  }

  #call(method, model, options, ...values) {
    return callNative(() => this.#open(), method, model, options, this.#options, ...values);
  }

  #open() {
    if (this.#pool === undefined) throw invalid('the pool has been disposed');
    return this.#pool;
  }
}
// Node.js 20 has no such symbol before 20.5.
if (Symbol.asyncDispose) ModelPool.prototype[Symbol.asyncDispose] = ModelPool.prototype.dispose;

// What the options of a call say of a model.
function named(model, options = {}) {
  checkNames(options, 'options', ['dtype', 'revision', 'signal']);
  const { dtype, revision, signal } = options;
  checkModel(model, dtype);
  return { name: withRevision(model, revision), dtype, signal: checkSignal(signal) };
}

// pool()[method], with a download where one is wanted.
function callNative(pool, method, model, options, { folder, download }, ...values) {
  const { name, dtype, signal } = named(model, options);
  const open = (found) => call(pool(), method, signal, found, dtype ?? '', ...values);
  return openOrPull(open, download, name, { dtype, folder, signal });
}

async function plan(model, options = {}) {
  checkNames(options, 'options', ['dtype', 'revision', 'signal', ...POOL_OPTIONS]);
  const { dtype, revision, signal, ...rest } = options;
  const pool = poolOptions(rest);
  const places = { folder: pool.folder, download: downloadOf(rest) };
  return callNative(() => sharedPool(pool), 'plan', model, { dtype, revision, signal }, places);
}

module.exports = { ModelPool, plan };
