// The one class of errors, and how failures of the native engine become it.
'use strict';

const BRAND = Symbol.for('thimble.ThimbleError');

// Test runners and bundles load this file several times in a process; each copy's class knows the errors of all.
class ThimbleError extends Error {
  static [Symbol.hasInstance](value) {
    if (this !== ThimbleError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === 'object' && value !== null && value[BRAND] === true;
  }

  constructor(code, message, options) {
    super(message, options);
    this.name = 'ThimbleError';
    this.code = code;
  }

  get [BRAND]() {
    return true;
  }
}

const invalid = (message) => new ThimbleError('invalid_argument', message);
const unsupported = (message) => new ThimbleError('unsupported', message);

// What a value is, for messages.
function describe(value) {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') {
    const name = value.constructor?.name;  // Of an object from JSON it can be anything.
    return typeof name === 'string' ? `an object (${name.slice(0, 40)})` : 'an object (no class)';
  }
  return `a ${typeof value}`;
}

const MILLISECONDS = ['unload_after', 'max_wait'];
const OTHER_NAMES = { cache: 'cache.path', cache_size: 'cache.maxBytes' };

// An option that a native message names, `max_memory`, as JavaScript calls it.
const optionName = (name) => OTHER_NAMES[name] ??
  name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()) + (MILLISECONDS.includes(name) ? 'Ms' : '');

const isError = (value) => Object.prototype.toString.call(value) === '[object Error]';

// An error of the addon, which may be of another realm, as a ThimbleError; any other as it is.
function fromNative(error) {
  if (error instanceof ThimbleError || !isError(error) || typeof error.code !== 'string') return error;
  // In a Node.js project the command line comes with the package.
  const message = error.message.replace(/\b(run|with) thimble (?=convert|list|verify)/, '$1 npx thimble ').replace(
    /(get it with: .*)\bthimble pull (.*)$/, '$1npx thimble pull $2, or pass download: true, or set THIMBLE_DOWNLOAD=1');
  return new ThimbleError(error.code, message.replace(/`([a-z]+(?:_[a-z]+)*)`/g, (_, name) => optionName(name)));
}

module.exports = { ThimbleError, describe, fromNative, invalid, unsupported };
