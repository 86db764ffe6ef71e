// Calls to native pools: promises that can be aborted, and the pools that functions share.
'use strict';

const { addon } = require('./addon.js');
const { fromNative } = require('./errors.js');

let lastId = 0;
const nextId = () => (lastId = (lastId + 1) % 0xffffffff) + 1;

// pool[method](...values) as a promise that `signal` rejects; what has not started then does not start.
function call(pool, method, signal, ...values) {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const id = nextId();
    const abort = () => {
      addon().cancel(id);
      reject(signal.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
    pool[method](id, ...values).then(
      (value) => {
        signal?.removeEventListener('abort', abort);
        resolve(value);
      },
      (error) => {
        signal?.removeEventListener('abort', abort);
        reject(fromNative(error));
      },
    );
  });
}

// The same at once, on this thread.
function callSync(pool, method, ...values) {
  try {
    return pool[method](...values);
  } catch (error) {
    throw fromNative(error);
  }
}

function makePool(options, key = '') {
  const { Pool } = addon();
  try {
    return new Pool(options, key);
  } catch (error) {
    throw fromNative(error);
  }
}

const shared = new Map();
// The pool for these options, one for all threads of the process: users who ask for the same share each model.
function sharedPool(options) {
  const key = JSON.stringify(options);
  let pool = shared.get(key);
  if (pool === undefined) {
    pool = makePool(options, key);
    shared.set(key, pool);
  }
  return pool;
}

module.exports = { call, callSync, makePool, sharedPool };
