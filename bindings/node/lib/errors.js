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

const isError = (value) => Object.prototype.toString.call(value) === '[object Error]';

// An error of the addon, which may be of another realm, as a ThimbleError; any other as it is.
function fromNative(error) {
  if (error instanceof ThimbleError || !isError(error) || typeof error.code !== 'string') return error;
  // In a Node.js project the command line comes with the package.
  return new ThimbleError(error.code, error.message.replace(/\b(run|with) thimble (?=convert|list|verify)/, '$1 npx thimble ').replace(
    /(get it with: .*)\bthimble pull (.*)$/, '$1npx thimble pull $2, or pass download: true, or set THIMBLE_DOWNLOAD=1'));
}

module.exports = { ThimbleError, describe, fromNative, invalid, unsupported };
