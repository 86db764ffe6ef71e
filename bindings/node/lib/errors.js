// The one class of errors, and how failures of the native engine become it.
'use strict';

class ThimbleError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = 'ThimbleError';
    this.code = code;
  }
}

const invalid = (message) => new ThimbleError('invalid_argument', message);

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

// An option that a native message names, `max_memory`, as JavaScript calls it.
const optionName = (name) =>
  name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()) + (MILLISECONDS.includes(name) ? 'Ms' : '');

// An error of the addon as a ThimbleError; any other as it is.
function fromNative(error) {
  if (error instanceof ThimbleError || !(error instanceof Error) || typeof error.code !== 'string') return error;
  // In a Node.js project the command line comes with the package.
  const message = error.message.replace(/(get it with: .*)\bthimble pull (.*)$/, '$1npx thimble pull $2, or with download: true');
  return new ThimbleError(error.code, message.replace(/`([a-z]+(?:_[a-z]+)*)`/g, (_, name) => optionName(name)));
}

module.exports = { ThimbleError, describe, fromNative, invalid };
