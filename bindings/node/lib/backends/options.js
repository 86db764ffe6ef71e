// Options of remote backends.
'use strict';

const { invalid, unsupported } = require('../errors.js');
const { cacheOptions, checkInteger, checkOneOf, checkType } = require('../options.js');
const { parseBackends } = require('./table.js');

const REMOTE_OPTIONS = [
  'baseUrl', 'encoding', 'requestTexts', 'concurrency', 'maxRetries', 'timeoutMs', 'cache', 'space',
];

const isLocal = (names) => {
  const parsed = parseBackends(names);
  return parsed.length === 1 && parsed[0].dialect === undefined;
};

function remoteOptions(options) {
  const { path, bytes } = cacheOptions(options);
  if (options.space === '') throw invalid('space: expected a name, found ""');
  return {
    baseUrl: checkType(options.baseUrl, 'baseUrl', 'string'),
    encoding: checkOneOf(options.encoding, 'encoding', ['base64', 'float']),
    requestTexts: checkInteger(options.requestTexts, 'requestTexts', 1),
    concurrency: checkInteger(options.concurrency, 'concurrency', 1, 64),
    maxRetries: checkInteger(options.maxRetries, 'maxRetries', 0, 100),
    timeoutMs: checkInteger(options.timeoutMs, 'timeoutMs', 1),
    space: checkType(options.space, 'space', 'string'),
    cacheBytes: path === undefined ? bytes : undefined,
  };
}

// For the native backend, whose cache is a file. Mocks accept these options, so that they can stand in for a remote
// backend.
function refuseRemoteOptions(options) {
  const isFile = cacheOptions(options).path !== undefined;
  const name = REMOTE_OPTIONS.find((option) => options[option] !== undefined && !(option === 'cache' && isFile));
  if (name === 'cache') throw unsupported('cache: only remote backends have one in memory, and the backend is native; add cache.path');
  if (name) throw unsupported(`${name}: only remote backends accept it, and the backend is native`);
}

module.exports = { REMOTE_OPTIONS, isLocal, refuseRemoteOptions, remoteOptions };
