// ModelPool: models by name, and what a model would take.
'use strict';

const { call, callSync, makePool, sharedPool } = require('./engine.js');
const { EMBEDDER_OPTIONS, openEmbedder } = require('./embedder.js');
const { ThimbleError } = require('./errors.js');
const { POOL_OPTIONS, checkModel, checkNames, checkSignal, downloadOf, poolOptions, withRevision } = require('./options.js');
const { openOrPull } = require('./pull.js');

class ModelPool {
  #pool;
  #options;  // {folder, download, threads}

  constructor(options = {}) {
    checkNames(options, 'options', POOL_OPTIONS);
    const checked = poolOptions(options);
    this.#options = { folder: checked.folder, download: downloadOf(options), threads: checked.threads };
    this.#pool = makePool(checked);
  }

  async getModel(model, options = {}) {
    checkNames(options, 'options', EMBEDDER_OPTIONS);
    checkModel(model, options.dtype);
    return openEmbedder(() => this.#open(), model, { ...options, ...this.#options });
  }

  async plan(model, { dtype = 'q8', revision, signal } = {}) {
    checkModel(model, dtype);
    return this.#call('plan', withRevision(model, revision), dtype, signal);
  }

  async preload(model, { dtype = 'q8', revision, signal } = {}) {
    checkModel(model, dtype);
    await this.#call('open', withRevision(model, revision), dtype, signal, false);
  }

  async pin(model, { dtype = 'q8', revision, signal } = {}) {
    checkModel(model, dtype);
    await this.#call('open', withRevision(model, revision), dtype, signal, true);
  }

  unpin(model, { dtype = 'q8', revision } = {}) {
    checkModel(model, dtype);
    callSync(this.#open(), 'unpin', withRevision(model, revision), dtype);
  }

  async unload(model, { dtype = 'q8', revision } = {}) {
    checkModel(model, dtype);
    await call(this.#open(), 'unload', undefined, withRevision(model, revision), dtype);
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
      await call(pool, 'unload', undefined, name, dtype || 'q8');
    }
    pool.close();
  }

  // Of the native pool, with a download where one is wanted.
  #call(method, model, dtype, signal, ...values) {
    const open = (name) => call(this.#open(), method, checkSignal(signal), name, dtype, ...values);
    return openOrPull(open, this.#options.download, model, { dtype, folder: this.#options.folder, signal });
  }

  #open() {
    if (this.#pool === undefined) throw new ThimbleError('invalid_argument', 'the pool has been disposed');
    return this.#pool;
  }
}
// Node.js 18 has no such symbol before 18.18.
if (Symbol.asyncDispose) ModelPool.prototype[Symbol.asyncDispose] = ModelPool.prototype.dispose;

async function plan(model, options = {}) {
  const { dtype = 'q8', revision, signal, ...rest } = options;
  checkNames(rest, 'options', POOL_OPTIONS);
  checkModel(model, dtype);
  const pool = poolOptions(rest);
  const open = (name) => call(sharedPool(pool), 'plan', checkSignal(signal), name, dtype);
  return openOrPull(open, downloadOf(rest), withRevision(model, revision), { dtype, folder: pool.folder, signal });
}

module.exports = { ModelPool, plan };
