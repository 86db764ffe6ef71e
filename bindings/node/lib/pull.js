// pull(): models from the hub, and getting one that turns out not to be there.
'use strict';

const { addon } = require('./addon.js');
const { call } = require('./engine.js');
const { describe, invalid } = require('./errors.js');
const { checkModel, checkNames, checkSignal, checkType } = require('./options.js');

const PULL_OPTIONS = ['dtype', 'revision', 'folder', 'force', 'signal', 'onProgress'];

async function pull(name, options = {}) {
  checkNames(options, 'options', PULL_OPTIONS);
  const { dtype = 'q8', revision, force = false, signal, onProgress } = options;
  const folder = checkType(options.folder, 'folder', 'string') ?? (process.env.THIMBLE_HOME || undefined);
  checkModel(name, dtype);
  checkType(revision, 'revision', 'string');
  checkType(force, 'force', 'boolean');
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalid(`onProgress: expected a function, found ${describe(onProgress)}`);
  }
  return call(addon(), 'pull', checkSignal(signal), name, { dtype, revision, folder, force }, onProgress);
}

// What open() gives; if that fails because the model is not there, and `download` is true, once more after pulling it.
async function openOrPull(open, download, name, options) {
  try {
    return await open();
  } catch (error) {
    if (!download || error.code !== 'not_found' || name.endsWith('.safetensors')) throw error;
  }
  await pull(name, options);
  return open();
}

module.exports = { openOrPull, pull };
