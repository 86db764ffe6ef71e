// Calls to native pools: promises that can be aborted, and the pools that functions share.
'use strict';

const { addon } = require('./addon.js');
const { fromNative } = require('./errors.js');
const { abortable } = require('./promises.js');

let lastId = 0;
const nextId = () => (lastId = (lastId + 1) % 0xffffffff) + 1;

// pool[method](...values) as a promise that `signal` rejects; what has not started then does not start.
function call(pool, method, signal, ...values) {
  return abortable(signal, (resolve, reject) => {
    const id = nextId();
    pool[method](id, ...values).then(resolve, (error) => reject(fromNative(error)));
    return () => addon().cancel(id);
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

// The value, of which nothing can be changed: parts of it go back to the addon.
function deepFreeze(value) {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
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

module.exports = { call, callSync, deepFreeze, makePool, sharedPool };
