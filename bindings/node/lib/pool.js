// ModelPool: models by name, and what a model would take.
'use strict';

const { call, callSync, makePool, sharedPool } = require('./engine.js');
const { EMBEDDER_OPTIONS, openEmbedder } = require('./embedder.js');
const { ThimbleError } = require('./errors.js');
const { POOL_OPTIONS, checkModel, checkNames, checkSignal, poolOptions } = require('./options.js');

class ModelPool {
  #pool;
  #threads;

  constructor(options = {}) {
    checkNames(options, 'options', POOL_OPTIONS);
    const checked = poolOptions(options);
    this.#threads = checked.threads;
    this.#pool = makePool(checked);
  }

  async getModel(model, options = {}) {
    checkNames(options, 'options', EMBEDDER_OPTIONS);
    checkModel(model, options.dtype);
    return openEmbedder(() => this.#open(), model, { ...options, threads: this.#threads });
  }

  async plan(model, { dtype = 'q8', signal } = {}) {
    checkModel(model, dtype);
    return call(this.#open(), 'plan', checkSignal(signal), model, dtype);
  }

  async preload(model, { dtype = 'q8', signal } = {}) {
    checkModel(model, dtype);
    await call(this.#open(), 'open', checkSignal(signal), model, dtype, false);
  }

  async pin(model, { dtype = 'q8', signal } = {}) {
    checkModel(model, dtype);
    await call(this.#open(), 'open', checkSignal(signal), model, dtype, true);
  }

  unpin(model, { dtype = 'q8' } = {}) {
    checkModel(model, dtype);
    callSync(this.#open(), 'unpin', model, dtype);
  }

  async unload(model, { dtype = 'q8' } = {}) {
    checkModel(model, dtype);
    await call(this.#open(), 'unload', undefined, model, dtype);
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

  #open() {
    if (this.#pool === undefined) throw new ThimbleError('invalid_argument', 'the pool was disposed of');
    return this.#pool;
  }
}
// Node.js 18 has no such symbol before 18.18.
if (Symbol.asyncDispose) ModelPool.prototype[Symbol.asyncDispose] = ModelPool.prototype.dispose;

async function plan(model, options = {}) {
  const { dtype = 'q8', signal, ...rest } = options;
  checkNames(rest, 'options', POOL_OPTIONS);
  checkModel(model, dtype);
  return call(sharedPool(poolOptions(rest)), 'plan', checkSignal(signal), model, dtype);
}

module.exports = { ModelPool, plan };
