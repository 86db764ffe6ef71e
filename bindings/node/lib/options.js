// Checks of what users pass.
'use strict';

const { parseBackends } = require('./backends/table.js');
const { describe, invalid } = require('./errors.js');
const { HalfArray } = require('./half.js');

const UNITS = {
  k: 10n ** 3n, m: 10n ** 6n, g: 10n ** 9n, t: 10n ** 12n, p: 10n ** 15n, e: 10n ** 18n,
  ki: 1n << 10n, mi: 1n << 20n, gi: 1n << 30n, ti: 1n << 40n, pi: 1n << 50n, ei: 1n << 60n,
};

// Bytes from a number, or from a text such as '16 MB' or '1.5GiB'; a share of a byte is dropped.
function parseSize(value, name) {
  if (value === undefined) return undefined;
  let bytes = value;
  if (typeof value === 'string') {
    const [, whole, decimals = '', unit] =
      /^(\d{1,20})(?:\.(\d{1,9})(?= *[kmgtpe]))? *(?:([kmgtpe]i?)b?|b)?$/i.exec(value.trim()) ?? [];
    const size = unit ? UNITS[unit.toLowerCase()] : 1n;
    if (whole) bytes = Number((BigInt(whole + decimals) * size) / 10n ** BigInt(decimals.length));
  }
  if (!Number.isSafeInteger(bytes) || bytes <= 0) {
    throw invalid(`${name}: expected bytes above 0 or a size such as '16MB' or '1.5GiB', found ${describe(value)}`);
  }
  return bytes;
}

function checkInteger(value, name, least, most = Number.MAX_SAFE_INTEGER) {
  if (value === undefined) return undefined;
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? `at least ${least}` : `from ${least} to ${most}`;
    throw invalid(`${name}: expected an integer ${range}, found ${describe(value)}`);
  }
  return value;
}

function checkType(value, name, type) {
  if (value !== undefined && typeof value !== type) {
    throw invalid(`${name}: expected a ${type}, found ${describe(value)}`);
  }
  return value;
}

function checkOneOf(value, name, allowed) {
  if (value !== undefined && !allowed.includes(value)) {
    throw invalid(`${name}: expected ${allowed.join(', ')}, found ${describe(value)}`);
  }
  return value;
}

// Options are an object with no other names than these.
function checkNames(options, where, names) {
  if (options === null || typeof options !== 'object') {
    throw invalid(`${where}: expected an object of options, found ${describe(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw invalid(`${where}: unknown option ${name}, expected ${[...new Set(names)].join(', ')}`);
  }
}

const DEFAULT_MODEL = 'all-MiniLM-L6-v2';
const DTYPES = ['fp32', 'fp16', 'q8', 'q6', 'q4', 'q4-small'];
const MOCKS = ['mock', 'mock-hashed'];

const checkDtype = (dtype) => checkOneOf(dtype, 'dtype', DTYPES);

function checkModel(name, dtype, option = 'model') {
  if (typeof name !== 'string' || name === '') {
    throw invalid(`${option}: expected its name, a folder or the path of a .safetensors file, found ${describe(name)}`);
  }
  checkDtype(dtype);
}

// Whether a model is written as the path of a folder.
const isPath = (model) => /^\.{0,2}(\/|$)/.test(model) && !model.endsWith('.safetensors') ||
  process.platform === 'win32' && /^(\.{0,2}\\|[a-z]:)/i.test(model) && !model.endsWith('.safetensors');

// NAME@REVISION, the one name of a model at a revision.
function withRevision(model, revision) {
  checkType(revision, 'revision', 'string');
  if (revision === undefined || typeof model !== 'string') return model;
  if (isPath(model) || model.endsWith('.safetensors')) {
    throw invalid(`revision: works with names, not with the path ${describe(model)}`);
  }
  const [name, given = revision] = model.split('@', 2);
  if (given !== revision) {
    throw invalid(`model: ${describe(model)} has a revision, but revision is ${describe(revision)}; give it once`);
  }
  return `${name}@${revision}`;
}

// Where models are: an option, or THIMBLE_HOME, or thimble's own folder.
const folderOf = (options) => checkType(options.folder, 'folder', 'string') ?? (process.env.THIMBLE_HOME || undefined);

// What embeds: an option, or THIMBLE_BACKEND, or the native engine, whose models mock and mock-hashed are mocks.
function backendOf(backend, model) {
  const names = backend ?? (process.env.THIMBLE_BACKEND || 'native');
  parseBackends(names);
  return names === 'native' && MOCKS.includes(model) ? model : names;
}

const POOL_OPTIONS = [
  'folder', 'download', 'maxMemory', 'maxModels', 'unloadAfterMs', 'maxWaitMs', 'load', 'verify', 'threads', 'maxTokens',
  'truncation', 'cache',
];

// {path, bytes} of a cache. One with a path is a file, which a native pool has; one without is in memory, which remote
// backends have.
function cacheOptions({ cache }) {
  if (cache === undefined) return {};
  checkNames(cache, 'cache', ['path', 'maxBytes']);
  const path = checkType(cache.path, 'cache.path', 'string');
  if (path === '') throw invalid('cache.path: the name of the file is empty');
  return { path, bytes: parseSize(cache.maxBytes ?? (path === undefined ? null : undefined), 'cache.maxBytes') };
}

// Whether a model that is not there is to be downloaded: an option, or THIMBLE_DOWNLOAD.
function downloadOf(options) {
  const wanted = checkType(options.download, 'download', 'boolean');
  const variable = process.env.THIMBLE_DOWNLOAD || '0';
  if (variable !== '0' && variable !== '1') throw invalid(`THIMBLE_DOWNLOAD: expected 1 or 0, found ${describe(variable)}`);
  return wanted ?? variable === '1';
}

// What the native pool takes, checked; the environment gives defaults. Infinity for unloadAfterMs means never.
function poolOptions(options) {
  downloadOf(options);
  const { path: cachePath, bytes } = cacheOptions(options);
  const unload = options.unloadAfterMs === Infinity ? -1 : checkInteger(options.unloadAfterMs, 'unloadAfterMs', 0);
  return {
    folder: folderOf(options),
    maxMemory: parseSize(options.maxMemory ?? undefined, 'maxMemory') ??
      parseSize(process.env.THIMBLE_MAX_MEMORY || undefined, 'THIMBLE_MAX_MEMORY'),
    maxModels: checkInteger(options.maxModels, 'maxModels', 1),
    unloadAfterMs: unload,
    maxWaitMs: checkInteger(options.maxWaitMs, 'maxWaitMs', 0),
    load: checkOneOf(options.load, 'load', ['map', 'copy']),
    verify: checkType(options.verify, 'verify', 'boolean'),
    threads: checkInteger(options.threads ?? undefined, 'threads', 1, 64) ??
      checkInteger(process.env.THIMBLE_THREADS ? Number(process.env.THIMBLE_THREADS) : undefined, 'THIMBLE_THREADS', 1, 64),
    maxTokens: checkInteger(options.maxTokens, 'maxTokens', 1),
    truncation: checkOneOf(options.truncation, 'truncation', ['sentence-transformers', 'transformers.js', 'tokenizers']),
    cachePath,
    cacheBytes: cachePath === undefined ? undefined : bytes,
  };
}

const POOLINGS = ['mean', 'cls', 'last', 'max', 'mean_sqrt_len_tokens', 'weightedmean'];
const VECTOR_OPTIONS = ['pooling', 'normalize', 'dimensions', 'precision', 'promptName', 'longTexts', 'chunkOverlap'];
const MOST_DIMENSIONS = 65536;

// The arrays of each precision, and how many components are in one of its values.
const PRECISIONS = {
  float32: { Vector: Float32Array, packed: 1 },
  float16: { Vector: HalfArray, packed: 1 },
  int8: { Vector: Int8Array, packed: 1 },
  uint8: { Vector: Uint8Array, packed: 1 },
  binary: { Vector: Int8Array, packed: 8 },
  ubinary: { Vector: Uint8Array, packed: 8 },
};

// {Vector, length} of a vector of so many components: the class of its array, and how many values it has.
function shapeOf(dimensions, precision = 'float32') {
  const { Vector, packed } = PRECISIONS[precision];
  return { Vector, length: Math.ceil(dimensions / packed) };
}

// Those of them that are there, for the native pool.
function vectorOptions({ pooling, normalize, dimensions, precision, promptName, longTexts, chunkOverlap }) {
  return {
    dimensions: checkInteger(dimensions, 'dimensions', 1, MOST_DIMENSIONS),
    precision: checkOneOf(precision, 'precision', Object.keys(PRECISIONS)),
    promptName: checkType(promptName, 'promptName', 'string'),
    longTexts: checkOneOf(longTexts, 'longTexts', ['truncate', 'error', 'chunk']),
    chunkOverlap: checkInteger(chunkOverlap, 'chunkOverlap', 0),
    pooling: checkOneOf(pooling, 'pooling', POOLINGS),
    normalize: checkType(normalize, 'normalize', 'boolean'),
  };
}

// The signal may be of another realm.
function checkSignal(signal) {
  if (signal !== undefined && !(typeof signal?.throwIfAborted === 'function' && typeof signal.addEventListener === 'function')) {
    throw invalid(`signal: expected an AbortSignal, found ${describe(signal)}`);
  }
  signal?.throwIfAborted();
  return signal;
}

// A copy of an array of strings: the caller may change its own while the call runs. Holes are undefined.
function checkStrings(strings, name, expected = 'an array of strings') {
  if (!Array.isArray(strings)) throw invalid(`${name}: expected ${expected}, found ${describe(strings)}`);
  const copy = [];
  for (const string of strings) {  // Ends at the first hole of an array that is huge and empty.
    if (typeof string !== 'string') throw invalid(`${name}[${copy.length}]: expected a string, found ${describe(string)}`);
    copy.push(string);
  }
  return copy;
}

// The texts as an array of their own: a string is an array of one.
const checkTexts = (texts) =>
  (typeof texts === 'string' ? [texts] : checkStrings(texts, 'texts', 'a string or an array of strings'));

const LONE_SURROGATE = /\p{Surrogate}/u;
const isWellFormed = String.prototype.isWellFormed
  ? (text) => text.isWellFormed()
  : (text) => !LONE_SURROGATE.test(text);

// A string of JavaScript may hold halves of characters, which are no text in any encoding. `where` is its name, or its
// place among texts.
function checkWellFormed(text, where) {
  if (isWellFormed(text)) return;
  const at = text.search(LONE_SURROGATE);
  const name = typeof where === 'number' ? `texts[${where}]` : where;
  throw invalid(`${name}: character ${at} is a lone surrogate (\\u${text.charCodeAt(at).toString(16)}), half of ` +
    'a character; use text.toWellFormed() to replace it');
}

module.exports = {
  DEFAULT_MODEL, POOLINGS, POOL_OPTIONS, VECTOR_OPTIONS, backendOf, cacheOptions, checkDtype, checkInteger, checkModel,
  checkNames, checkOneOf, checkSignal, checkStrings, checkTexts, checkType, checkWellFormed, downloadOf, folderOf, isPath, parseSize, poolOptions,
  shapeOf, vectorOptions, withRevision,
};
