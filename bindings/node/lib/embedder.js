// Embedder: a model of a pool, and how its vectors are wanted.
'use strict';

const { addon } = require('./addon.js');
const { REMOTE_OPTIONS, isLocal, refuseRemoteOptions } = require('./backends/options.js');
const { call, callSync, sharedPool } = require('./engine.js');
const { ThimbleError, describe, invalid, unsupported } = require('./errors.js');
const { HalfArray, bitsOf, typedArrayName } = require('./half.js');
const { NativeEngine } = require('./native.js');
const {
  POOL_OPTIONS, VECTOR_OPTIONS, backendOf, checkInteger, checkModel, checkNames, checkSignal, checkTexts, checkType,
  checkWellFormed, downloadOf, poolOptions, vectorOptions, withRevision,
} = require('./options.js');
const { abortable } = require('./promises.js');
const { openOrPull } = require('./pull.js');

const EMBEDDER_OPTIONS = ['dtype', 'revision', 'backend', ...VECTOR_OPTIONS, 'signal', ...REMOTE_OPTIONS];

// The engine of an embedder, for thimble's own layers; undefined for anything else.
let engineOf;

class Embedder {
  #engine;

  static {
    engineOf = (value) => (value instanceof Embedder ? value.#engine : undefined);
  }

  // Of thimble's own layers; users have create() and pool.getModel().
  constructor(engine) {
    if (typeof engine?.run !== 'function') {
      throw invalid(`new Embedder: expected a call of Embedder.create(model, options), found new with ${describe(engine)}; ` +
        'write await Embedder.create(...)');
    }
    this.#engine = engine;
  }

  static async create(model, options = {}) {
    checkNames(options, 'options', [...EMBEDDER_OPTIONS, ...POOL_OPTIONS]);
    return openShared(model, options);
  }

  get info() {
    return this.#engine.info;
  }

  get dimensions() {
    return this.info.dimensions;
  }

  async embed(texts, options = {}) {
    const list = checkTexts(texts);
    const shape = this.#engine.shape(options);
    const vectors = allocate(list.length, shape);
    await this.#engine.run(list, bitsOf(vectors), options, 0);
    return split(texts, list.length, vectors, shape);
  }

  async embedInto(texts, vectors, options = {}) {
    const list = checkTexts(texts);
    checkTarget(vectors, list.length, this.#engine.shape(options));
    return this.#engine.reports(await this.#engine.run(list, bitsOf(vectors), options, 0), options);
  }

  embedSync(texts, options = {}) {
    const list = checkTexts(texts);
    const shape = this.#engine.shape(options);
    const vectors = allocate(list.length, shape);
    this.#engine.runSync(list, bitsOf(vectors), options);
    return split(texts, list.length, vectors, shape);
  }

  async embedTokens(text, options = {}) {
    checkNames(options, 'options', ['signal']);
    checkType(text ?? null, 'text', 'string');
    checkWellFormed(text, 0);
    return this.#engine.embedTokens(text, checkSignal(options.signal));
  }

  async *embedStream(texts, given = {}) {
    checkNames(given, 'options', ['batchSize', ...this.#engine.callOptions]);
    const { batchSize = this.#engine.batchSize, ...options } = given;
    checkInteger(batchSize, 'batchSize', 1);
    const iterator = texts?.[Symbol.asyncIterator]?.() ?? (typeof texts === 'string' ? null : texts?.[Symbol.iterator]?.());
    if (!iterator) throw invalid(`texts: expected an iterable or an async iterable of strings, found ${describe(texts)}`);
    const signal = checkSignal(options.signal);
    const source = new Source(iterator);
    const shape = this.#engine.shape(options);
    try {
      for (let first = 0; !source.done;) {
        const batch = await source.take(batchSize, signal);
        for (let i = 0; i < batch.length; ++i) {
          if (typeof batch[i] !== 'string') throw invalid(`texts[${first + i}]: expected a string, found ${describe(batch[i])}`);
        }
        const vectors = allocate(batch.length, shape);
        const reports = this.#engine.reports(await this.#engine.run(batch, bitsOf(vectors), options, first), options);
        for (let i = 0; i < batch.length; ++i) {
          yield { text: batch[i], vector: row(vectors, i, shape), ...reports[i] };
        }
        first += batch.length;
      }
    } finally {
      await source.close();
    }
  }

  percentile(cosine) {
    checkType(cosine ?? null, 'cosine', 'number');
    const { unrelatedCosines } = this.info;
    return unrelatedCosines && callSync(addon(), 'percentile', unrelatedCosines, cosine);
  }

  async unload() {
    await this.#engine.unload();
  }
}

// Arrays of `count` vectors of a shape: {Vector, length}.

function allocate(count, { Vector, length }) {
  try {
    return new Vector(count * length);
  } catch (cause) {
    throw new ThimbleError('invalid_argument',
      `texts: ${count} vectors of ${length} values do not fit into one array; use embedStream`, { cause });
  }
}

function checkTarget(vectors, count, { Vector, length }) {
  const { name } = Vector;
  const found = typedArrayName(vectors);
  if (found !== name && !(Vector === HalfArray && found === 'Uint16Array')) {
    throw invalid(`vectors: expected ${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}, found ${describe(vectors)}`);
  }
  const needed = count * length;
  if (vectors.length < needed) {
    const detached = vectors.length === 0 && needed > 0 ? ' (it is empty or detached)' : '';
    throw invalid(`vectors: expected room for ${count} x ${length} values, found ${vectors.length}${detached}`);
  }
}

const row = (vectors, i, { length }) => vectors.subarray(i * length, (i + 1) * length);

const split = (texts, count, vectors, shape) =>
  (typeof texts === 'string' ? vectors : Array.from({ length: count }, (_, i) => row(vectors, i, shape)));

// Of a pool that is shared. `options.pull` has what pulling takes more.
async function openShared(model, options) {
  const pool = poolOptions(options);
  return openEmbedder(() => sharedPool(pool), model, { ...options, ...pool });
}

// `pool` is a function that gives the native pool, or throws when it is disposed of.
async function openEmbedder(pool, model, options) {
  const backend = backendOf(options.backend, model);
  checkSignal(options.signal);
  if (!isLocal(backend)) {
    const openLocal = (name) => openLocalEngine(pool, name, model, { ...options, precision: undefined, signal: undefined });
    return new Embedder(await remoteEngine(backend, model, options, openLocal).open(options.signal));
  }
  if (backend === 'native') refuseRemoteOptions(options);
  return new Embedder(await openLocalEngine(pool, backend, model, options));
}

// The engine of remote backends, whose code is loaded when it is first needed: it takes a megabyte of heap.
function remoteEngine(...values) {
  const { RemoteEngine } = require('./backends/remote.js');
  return new RemoteEngine(...values);
}

// The engine of a backend in this process.
async function openLocalEngine(pool, backend, model, options) {
  checkModel(model, options.dtype);
  const { dtype } = options;
  const wanted = withRevision(model, options.revision);
  let name = backend;
  const vectors = vectorOptions(options);
  const open = (found) => call(pool(), 'open', options.signal, name = found, dtype ?? '', false, vectors);
  const info = backend === 'native'
    ? await openOrPull(open, downloadOf(options), wanted, { ...options.pull, dtype, folder: options.folder, signal: options.signal })
    : await open(name);
  if (backend === 'native' && info.name.startsWith('mock') && info.fileBytes === 0) {
    throw unsupported(`model ${JSON.stringify(model)}: THIMBLE_BACKEND was set when the process ` +
      'started, and a worker thread cannot take it back; start the process without it');
  }
  if (info.labels !== undefined) {
    throw unsupported(`${info.name} is a reranker, which scores pairs of texts and has no vectors; use a Reranker, or an ` +
      'embedding model here');
  }
  Object.assign(info, { backend, longTexts: ['truncate', 'error', 'chunk'] });
  return new NativeEngine(pool, name, dtype ?? '', info, options);
}

const LATER = Symbol('later');
const later = () => new Promise((resolve) => setImmediate(resolve, LATER));

// An iterator whose values are taken in batches.
class Source {
  #iterator;
  #next;  // The promise of a value that was asked for and has not come.
  done = false;

  constructor(iterator) {
    this.#iterator = iterator;
  }

  // Up to `size` values; fewer where the next one is not there yet.
  async take(size, signal) {
    const batch = [];
    while (batch.length < size) {
      signal?.throwIfAborted();
      this.#next ??= Promise.resolve(this.#iterator.next());
      const result = batch.length === 0
        ? await abortable(signal, (resolve, reject) => void this.#next.then(resolve, reject))
        : await Promise.race([this.#next, later()]);
      if (result === LATER) break;
      this.#next = undefined;
      this.done = result.done === true;
      if (this.done) break;
      batch.push(result.value);
    }
    return batch;
  }

  // An iterator that has not given its next value yet, such as a generator that waits, ends after that: nobody waits for it.
  async close() {
    if (this.done) return;
    this.#next?.catch(() => {});
    const closed = Promise.resolve(this.#iterator.return?.());
    closed.catch(() => {});
    await (this.#next === undefined ? closed : Promise.race([closed, later()]));
  }
}

module.exports = { EMBEDDER_OPTIONS, Embedder, engineOf, openEmbedder, openLocalEngine, openShared, remoteEngine };
