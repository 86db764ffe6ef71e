// pull(): models from the hub, and making one that is not there yet.
'use strict';

const { addon, builtin } = require('./addon.js');
const { call } = require('./engine.js');
const { describe, invalid } = require('./errors.js');
const {
  POOLINGS, checkModel, checkNames, checkOneOf, checkSignal, checkType, folderOf, isPath,
} = require('./options.js');

const path = builtin('node:path');

const PULL_OPTIONS = [
  'dtype', 'revision', 'folder', 'name', 'pooling', 'normalize', 'force', 'signal', 'onProgress',
];

async function pull(model, options = {}) {
  checkNames(options, 'options', PULL_OPTIONS);
  return pullWith(model, options);
}

// The same for thimble's own layers: localFilesOnly takes what is on this machine, in localFolders among others, and
// unstatedPooling also a model that does not state its pooling, which each call then names.
async function pullWith(model, options) {
  const { dtype = 'q8', revision, name, force = false, signal, onProgress, localFilesOnly = false } = options;
  checkModel(model, dtype);
  checkType(revision, 'revision', 'string');
  checkType(name, 'name', 'string');
  checkType(force, 'force', 'boolean');
  const pooling = checkOneOf(options.pooling, 'pooling', POOLINGS);
  const normalize = checkType(options.normalize, 'normalize', 'boolean');
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalid(`onProgress: expected a function, found ${describe(onProgress)}`);
  }
  const localFolders = [...(options.localFolders ?? []), ...librariesFolders()];
  const native = {
    dtype, revision, folder: folderOf(options), name, pooling, normalize, unstatedPooling: options.unstatedPooling === true,
    force, localFilesOnly, localFolders,
  };
  return call(addon(), 'pull', checkSignal(signal), model, native, onProgress);
}

// Where transformers.js keeps models by default, as the application and this package would find it; the addon looks from
// the working directory.
function librariesFolders() {
  const folders = new Set();
  for (const start of [process.argv[1] && path.dirname(process.argv[1]), module.path]) {
    for (let folder = start; folder; folder = path.dirname(folder) === folder ? undefined : path.dirname(folder)) {
      for (const library of ['@huggingface', '@xenova']) {
        for (const place of ['models', '.cache']) {
          folders.add(path.join(folder, 'node_modules', library, 'transformers', place));
        }
      }
    }
  }
  return [...folders];
}

// What open(model) gives. A model that is not there is made first of what is on this machine, or, with `download`, pulled;
// it is then opened by its name, or as a file where it is a folder's. With `presentOnly` nothing is made.
async function openOrPull(open, download, model, options) {
  const folder = isPath(model);
  if (!folder) {
    try {
      return await open(model);
    } catch (error) {
      if (error?.code !== 'not_found' || model.endsWith('.safetensors') || options.presentOnly) throw error;
    }
  }
  const pulled = await pullWith(model, { ...options, unstatedPooling: true, localFilesOnly: folder || !download });
  return open(pulled.repository === '' || folder ? pulled.path : model);
}

module.exports = { openOrPull, pull, pullWith };
