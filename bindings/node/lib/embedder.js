// Embedder: a model of a pool, and how its vectors are wanted.
'use strict';

const { call, callSync, sharedPool } = require('./engine.js');
const { ThimbleError, describe, invalid } = require('./errors.js');
const {
  POOL_OPTIONS, VECTOR_OPTIONS, backendOf, checkInteger, checkModel, checkNames, checkSignal, checkTexts, checkType,
  checkWellFormed, downloadOf, poolOptions, vectorOptions, withRevision,
} = require('./options.js');
const { openOrPull } = require('./pull.js');

// One native call takes at most so many texts, and for each thread so many characters: about 0.1 s of work, after which
// other callers have their turn and a call that was aborted ends.
const CALL_TEXTS = 64;
const CALL_CHARACTERS = 16384;

const EMBEDDER_OPTIONS = ['dtype', 'revision', 'backend', ...VECTOR_OPTIONS, 'signal'];
const CALL_OPTIONS = [...VECTOR_OPTIONS, 'signal'];
// Numbers that a report has in a native call: tokens, truncated, chunks.
const REPORT = 3;

class Embedder {
  #pool;
  #model;
  #dtype;
  #info;
  #threads;
  #vectors;

  // Of thimble's own layers; users have create() and pool.getModel().
  constructor(pool, model, dtype, info, options) {
    this.#pool = pool;
    this.#model = model;
    this.#dtype = dtype;
    this.#info = Object.freeze(info);
    this.#threads = options.threads ?? 1;
    this.#vectors = vectorOptions(options);
  }

  static async create(model, options = {}) {
    checkNames(options, 'options', [...EMBEDDER_OPTIONS, ...POOL_OPTIONS]);
    return openShared(model, options);
  }

  get info() {
    return this.#info;
  }

  get dimensions() {
    return this.#info.dimensions;
  }

  async embed(texts, options = {}) {
    const list = checkTexts(texts);
    const vectors = this.#allocate(list.length);
    await this.#run(list, vectors, options);
    return this.#split(texts, vectors);
  }

  async embedInto(texts, vectors, options = {}) {
    const list = checkTexts(texts);
    this.#checkTarget(vectors, list.length);
    return this.#toReports(await this.#run(list, vectors, options), options);
  }

  embedSync(texts, options = {}) {
    const list = checkTexts(texts);
    const vectors = this.#allocate(list.length);
    const wanted = this.#wanted(options);
    for (const [begin, end] of this.#parts(list)) {
      const part = list.slice(begin, end);
      callSync(this.#pool(), 'embedSync', this.#model, this.#dtype, part, { ...wanted, firstIndex: begin }, vectors,
        begin * this.dimensions);
    }
    return this.#split(texts, vectors);
  }

  async embedTokens(text, options = {}) {
    checkNames(options, 'options', ['signal']);
    checkType(text ?? null, 'text', 'string');
    checkWellFormed(text, 0);
    return call(this.#pool(), 'embedTokens', checkSignal(options.signal), this.#model, this.#dtype, text);
  }

  async *embedStream(texts, { batchSize = CALL_TEXTS, ...options } = {}) {
    checkInteger(batchSize, 'batchSize', 1);
    const iterator = texts?.[Symbol.asyncIterator]?.() ?? (typeof texts === 'string' ? null : texts?.[Symbol.iterator]?.());
    if (!iterator) throw invalid(`texts: expected an iterable or an async iterable of strings, found ${describe(texts)}`);
    const signal = checkSignal(options.signal);
    const source = new Source(iterator);
    try {
      for (let first = 0; !source.done;) {
        const batch = await source.take(batchSize, signal);
        for (let i = 0; i < batch.length; ++i) {
          if (typeof batch[i] !== 'string') throw invalid(`texts[${first + i}]: expected a string, found ${describe(batch[i])}`);
        }
        const vectors = this.#allocate(batch.length);
        const reports = this.#toReports(await this.#run(batch, vectors, options, first), options);
        for (let i = 0; i < batch.length; ++i) {
          yield { text: batch[i], vector: this.#row(vectors, i), ...reports[i] };
        }
        first += batch.length;
      }
    } finally {
      await source.close();
    }
  }

  async unload() {
    await call(this.#pool(), 'unload', undefined, this.#model, this.#dtype);
  }

  // Embeds into `vectors`; returns REPORT numbers for each text. `first` is the place of texts[0] for messages.
  async #run(texts, vectors, options, first = 0) {
    const wanted = this.#wanted(options);
    const reports = new Uint32Array(REPORT * texts.length);
    for (const [begin, end] of this.#parts(texts, first)) {
      const part = begin === 0 && end === texts.length ? texts : texts.slice(begin, end);
      const found = await call(this.#pool(), 'embed', options.signal, this.#model, this.#dtype, part,
        { ...wanted, firstIndex: first + begin }, vectors, begin * this.dimensions);
      reports.set(found, REPORT * begin);
    }
    return reports;
  }

  // What a call wants, or else the embedder.
  #wanted(options) {
    checkNames(options, 'options', CALL_OPTIONS);
    checkSignal(options.signal);
    const given = vectorOptions(options);
    return Object.fromEntries(VECTOR_OPTIONS.map((name) => [name, given[name] ?? this.#vectors[name]]));
  }

  #toReports(numbers, options) {
    const chunked = this.#wanted(options).longTexts === 'chunk';
    return Array.from({ length: numbers.length / REPORT }, (_, i) => {
      const [tokens, truncated, chunks] = numbers.subarray(REPORT * i, REPORT * (i + 1));
      return { tokens, truncated: truncated === 1, ...(chunked ? { chunks } : {}) };
    });
  }

  // [begin, end) of each native call.
  *#parts(texts, first = 0) {
    const most = CALL_CHARACTERS * this.#threads;
    for (let begin = 0, end = 0; begin < texts.length; begin = end) {
      let characters = 0;
      while (end < texts.length && end - begin < CALL_TEXTS * this.#threads && (end === begin || characters < most)) {
        checkWellFormed(texts[end], first + end);
        characters += texts[end++].length;
      }
      yield [begin, end];
    }
  }

  #allocate(count) {
    try {
      return new Float32Array(count * this.dimensions);
    } catch (cause) {
      throw new ThimbleError('invalid_argument',
        `texts: ${count} vectors of ${this.dimensions} floats do not fit into one array; use embedStream`, { cause });
    }
  }

  #checkTarget(vectors, count) {
    if (!(vectors instanceof Float32Array)) {
      throw invalid(`vectors: expected a Float32Array, found ${describe(vectors)}`);
    }
    const needed = count * this.dimensions;
    if (vectors.length < needed) {
      const detached = vectors.length === 0 && needed > 0 ? ' (it is empty or detached)' : '';
      throw invalid(`vectors: expected room for ${count} x ${this.dimensions} floats, found ${vectors.length}${detached}`);
    }
  }

  #row(vectors, i) {
    return vectors.subarray(i * this.dimensions, (i + 1) * this.dimensions);
  }

  #split(texts, vectors) {
    if (typeof texts === 'string') return vectors;
    return Array.from(texts, (_, i) => this.#row(vectors, i));
  }
}

// Of a pool that is shared. `options.pull` has what pulling takes more.
async function openShared(model, options) {
  checkModel(model, options.dtype);
  const pool = poolOptions(options);
  return openEmbedder(() => sharedPool(pool), model, { ...options, ...pool });
}

// `pool` is a function that gives the native pool, or throws when it is disposed of.
async function openEmbedder(pool, model, options) {
  const backend = backendOf(options.backend);
  const dtype = options.dtype ?? 'q8';
  const wanted = withRevision(model, options.revision);
  let name = backend;
  const open = (found) => call(pool(), 'open', checkSignal(options.signal), name = found, dtype, false);
  const info = backend === 'native'
    ? await openOrPull(open, downloadOf(options), wanted, { ...options.pull, dtype, folder: options.folder, signal: options.signal })
    : await open(name);
  if (backend === 'native' && info.name.startsWith('mock') && info.fileBytes === 0) {
    throw new ThimbleError('unsupported', `model ${JSON.stringify(model)}: THIMBLE_BACKEND was set when the process ` +
      'started, and a worker thread cannot take it back; start the process without it');
  }
  return new Embedder(pool, name, dtype, info, options);
}

const LATER = Symbol('later');

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
      const later = new Promise((resolve) => setImmediate(resolve, LATER));
      const result = batch.length === 0 ? await this.#next : await Promise.race([this.#next, later]);
      if (result === LATER) break;
      this.#next = undefined;
      this.done = result.done === true;
      if (this.done) break;
      batch.push(result.value);
    }
    return batch;
  }

  async close() {
    this.#next?.catch(() => {});  // Nobody waits for it any more.
    if (!this.done) await this.#iterator.return?.();
  }
}

module.exports = { EMBEDDER_OPTIONS, Embedder, openEmbedder, openShared };
