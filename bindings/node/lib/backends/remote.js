// The engine of an Embedder with a remote backend, or with a chain of backends.
'use strict';

const { ThimbleError, describe, invalid, unsupported } = require('../errors.js');
const { bitsOf, toHalves } = require('../half.js');
const {
  VECTOR_OPTIONS, checkInteger, checkNames, checkSignal, checkWellFormed, shapeOf, vectorOptions,
} = require('../options.js');
const { abortable, once, within } = require('../promises.js');
const { Cache } = require('./cache.js');
const { Chain } = require('./chain.js');
const { Client } = require('./client.js');
const { remoteOptions } = require('./options.js');
const { fingerprintOfCodes, namedFingerprint } = require('./space.js');
const { parseBackends } = require('./table.js');

// Options that change or check vectors, and that no provider knows.
const NATIVE_ONLY = ['pooling', 'chunkOverlap', 'maxTokens', 'truncation', 'revision', 'load', 'verify'];

// Embedded to learn the length of vectors. It has no place, because no caller has passed it.
const PROBE = 'dimensions';

const nativeOnly = (name, value) => unsupported(`${name} ${describe(value)}: only the native backend has this option`);

function refuseNativeOptions(options) {
  for (const name of NATIVE_ONLY) {
    if (options[name] !== undefined) throw nativeOnly(name, options[name]);
  }
  if (options.cache?.path !== undefined) throw nativeOnly('cache.path', options.cache.path);
  refuseNativeValues(options);
}

// Of options that remote backends have.
function refuseNativeValues({ normalize, longTexts, precision }) {
  if (normalize === false) throw nativeOnly('normalize', false);
  if (precision === 'int8' || precision === 'uint8') {
    throw unsupported(`precision ${describe(precision)}: only the native backend has the range of a model's components; ` +
      'use float16, binary or ubinary');
  }
  if (longTexts === 'chunk') throw nativeOnly('longTexts', 'chunk');
}

// The native backend or a mock as a member of a chain.
class Local {
  #open;

  constructor(name, open) {
    this.name = name;
    this.#open = once(() => open(name));
  }

  get identity() {
    return this.name;
  }

  async describe({ signal }) {
    return (await this.#get(signal)).info;
  }

  // After a failure the items before that call of the engine have their vectors.
  async embed(items, { promptName, longTexts, signal }) {
    const engine = await this.#get(signal);
    const options = { promptName, longTexts, signal };
    const { dimensions } = engine.info;
    for (const part of consecutive(items, engine.batchSize)) {
      const vectors = new Float32Array(part.length * dimensions);
      const numbers = await engine.run(part.map(({ text }) => text), vectors, options, part[0].place ?? 0);
      engine.reports(numbers, options).forEach((report, i) => {
        Object.assign(part[i], report, { vector: vectors.slice(i * dimensions, (i + 1) * dimensions) });
      });
    }
  }

  #get(signal) {
    return abortable(signal, (resolve, reject) => void this.#open().then(resolve, reject));
  }
}

// Parts of at most `size` items whose places follow each other, because messages count from the first one on.
function* consecutive(items, size) {
  for (let begin = 0, end = 0; begin < items.length; begin = end) {
    do ++end; while (end < items.length && end - begin < size && items[end].place === items[end - 1].place + 1);
    yield items.slice(begin, end);
  }
}

class RemoteEngine {
  #options;
  #chain;
  #info;
  // Of a stream.
  batchSize = 256;
  callOptions = [...VECTOR_OPTIONS, 'signal', 'timeoutMs'];

  // `openLocal(name)` opens a NativeEngine.
  constructor(names, model, options, openLocal) {
    const parsed = parseBackends(names);
    const given = remoteOptions(options);
    const remote = parsed.filter(({ dialect }) => dialect !== undefined);
    const cache = given.cacheBytes && new Cache(given.cacheBytes);
    const vectors = vectorOptions(options);
    const { dimensions } = vectors;
    this.#options = { ...given, ...vectors, cache };
    // In a chain with the native backend they make its vectors those of the others.
    if (remote.length === parsed.length) refuseNativeOptions(options);
    else if (remote.length > 0) refuseNativeValues(options);
    if (given.baseUrl !== undefined && (remote.length > 1 || remote.some(({ url }) => url))) {
      throw invalid('baseUrl: with several backends, or a URL in the name of one, put each URL into its name: ' +
        'openai:MODEL@URL');
    }
    this.#chain = new Chain(parsed.map((backend) => {
      const { name, dialect, url } = backend;
      if (dialect === undefined) return new Local(name, openLocal);
      const own = dialect.fields.model === null ? undefined : backend.model ?? model;
      return new Client(name, dialect, { ...given, dimensions, baseUrl: given.baseUrl ?? url, model: own });
    }), given.space, dimensions);
  }

  get info() {
    return this.#info;
  }

  // Learns what `info` holds; without the option `dimensions` it embeds a short text for that.
  async open(signal) {
    const info = await this.#within({ signal }, async (call) => ({ ...await this.#chain.describe(call) }));
    const { space, dimensions, precision = 'float32', promptName, longTexts } = this.#options;
    if (info.dimensions === undefined) {
      const probe = { text: PROBE };
      await this.#within({ signal }, (call) => this.#chain.embed([probe], { ...call, promptName, longTexts }));
      info.dimensions = probe.vector.length;
    }
    if (space !== undefined) info.fingerprint = namedFingerprint(space, dimensions);
    if (precision !== 'float32') info.fingerprint = fingerprintOfCodes(info, precision);
    info.backend = this.#chain.name;
    this.#info = Object.freeze(info);
    return this;
  }

  // Resolves to { vector, tokens, truncated } for each text; callers must not modify the vectors. On failure the error has
  // `partial`, the vectors so far, and `first`, which is the place of texts[0] for messages.
  async embed(texts, options = {}, first = 0) {
    checkNames(options, 'options', this.callOptions);
    checkSignal(options.signal);
    refuseNativeOptions(options);
    const wanted = { ...this.#options };
    const given = { ...vectorOptions(options), timeoutMs: checkInteger(options.timeoutMs, 'timeoutMs', 1) };
    for (const [name, value] of Object.entries(given)) {
      if (value !== undefined) wanted[name] = value;
    }
    const { cache, promptName, longTexts, precision } = wanted;
    if (given.dimensions !== undefined && given.dimensions !== (this.#options.dimensions ?? this.#info?.dimensions)) {
      throw unsupported(`dimensions ${given.dimensions}: remote backends have it for all calls; give it when they are opened`);
    }
    const keyOf = (text) => `${promptName ?? ''}\n${longTexts ?? ''}\n${text}`;
    const items = new Map();
    texts.forEach((text, i) => {
      checkWellFormed(text, first + i);
      if (!items.has(text)) items.set(text, { text, place: first + i, ...cache?.get(keyOf(text)) });
    });
    const missing = [...items.values()].filter(({ vector }) => vector === undefined);
    const results = () => {
      if (wanted.normalize) items.forEach((item, text) => items.set(text, { ...item, vector: toUnit(item.vector) }));
      items.forEach((item, text) => items.set(text, { ...item, vector: toCodes(item.vector, precision) }));
      return texts.map((text) => items.get(text));
    };
    try {
      if (missing.length > 0) {
        await this.#within({ ...wanted, signal: options.signal },
          (call) => this.#chain.embed(missing, { ...call, promptName, longTexts }));
      }
    } catch (error) {
      if (error instanceof ThimbleError && !options.signal?.aborted) {
        Object.assign(error, { first, partial: results().map(({ vector }) => vector?.slice()) });
      }
      throw error;
    } finally {
      for (const { text, vector, tokens, truncated } of missing) {
        if (vector !== undefined) cache?.set(keyOf(text), { vector, tokens, truncated });
      }
    }
    return results();
  }

  // What Embedder calls; NativeEngine has the same functions.
  shape({ precision = this.#options.precision }) {
    return shapeOf(this.#info.dimensions, vectorOptions({ precision }).precision);
  }

  async run(texts, vectors, options, first) {
    const { length } = this.shape(options);
    const write = (vector, i) => vector && vectors.set(bitsOf(vector), i * length);
    try {
      const results = await this.embed(texts, options, first);
      results.forEach(({ vector }, i) => write(vector, i));
      return results;
    } catch (error) {
      error?.partial?.forEach(write);
      throw error;
    }
  }

  reports(results) {
    return results.map(({ tokens, truncated }) => ({ tokens, truncated }));
  }

  runSync() {
    throw unsupported(`embedSync: ${this.#chain.name} does not support it; use embed()`);
  }

  async embedTokens() {
    throw unsupported(`embedTokens: ${this.#chain.name} has no token vectors; use the native backend`);
  }

  async unload() {
    this.#options.cache?.clear();
  }

  // Calls use({ signal, deadline }), which ends after timeoutMs.
  async #within({ signal, timeoutMs = this.#options.timeoutMs }, use) {
    const ms = timeoutMs ?? Infinity;
    const late = () => new ThimbleError('io', `${this.#chain.name}: no result within ${ms} ms (timeoutMs)`);
    const deadline = performance.now() + ms;
    return within([signal].filter(Boolean), ms, late, (limited) => use({ signal: limited, deadline }));
  }
}

// A copy of unit length; zeros stay zeros.
function toUnit(vector) {
  if (vector === undefined) return undefined;
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return length > 0 ? vector.map((value) => value / length) : vector;
}

// A vector in halves, or its bits, the first in the highest bit of the first byte; binary is ubinary minus 128.
function toCodes(vector, precision = 'float32') {
  if (vector === undefined || precision === 'float32') return vector;
  if (precision === 'float16') return toHalves(vector);
  const { Vector, length } = shapeOf(vector.length, precision);
  const codes = new Vector(length).fill(precision === 'binary' ? -128 : 0);
  vector.forEach((value, i) => {
    if (value > 0) codes[i >> 3] += 128 >> (i & 7);
  });
  return codes;
}

module.exports = { RemoteEngine };
