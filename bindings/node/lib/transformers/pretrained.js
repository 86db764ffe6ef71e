// What the options of pipeline() and from_pretrained(), and the settings of env, mean to thimble.
'use strict';

const { builtin } = require('../addon.js');
const { openShared } = require('../embedder.js');
const { describe, invalid, unsupported } = require('../errors.js');
const { downloadOf, isPath } = require('../options.js');
const { chosen, env } = require('./env.js');
const { progressOf } = require('./progress.js');

const fs = builtin('node:fs');
const path = builtin('node:path');

// For each dtype of transformers.js, and those that thimble alone has: thimble's dtype, and the name of the file of weights.
const DTYPES = {
  fp32: ['fp32', 'model'], fp16: ['fp16', 'model_fp16'],
  q8: ['q8', 'model_quantized'], int8: ['q8', 'model_int8'], uint8: ['q8', 'model_uint8'],
  q4: ['q4', 'model_q4'], q4f16: ['q4', 'model_q4f16'], bnb4: ['q4', 'model_bnb4'],
  q6: ['q6', 'model_q6'], 'q4-small': ['q4-small', 'model_q4-small'],
};
const DEVICES = ['auto', 'cpu', 'wasm'];

// An option that may be an object with a value for each file: that of the file of these models.
const forModel = (option) =>
  (option !== null && typeof option === 'object' && !Array.isArray(option) ? option.model : option);

function deviceOf(options) {
  const device = forModel(options.device) ?? 'cpu';
  if (DEVICES.includes(device)) return device;
  throw unsupported(`device: expected ${DEVICES.join(', ')}, found ${describe(device)}; ` +
    'thimble computes on the CPU, so leave it out');
}

// {dtype, file, stated}: thimble's dtype, the file of weights that transformers.js would read, and whether the options name
// them. `quantized` is of @xenova/transformers, and counts where there is no dtype.
function weightsOf(options) {
  const device = deviceOf(options);
  const { quantized, model_file_name: name = 'model', subfolder = 'onnx' } = options;
  let dtype = forModel(options.dtype) ?? (quantized === true ? 'q8' : quantized === false ? 'fp32' : 'auto');
  const named = Object.keys(DTYPES).find((key) => DTYPES[key][1] === (name ?? 'model'));
  if (named === undefined || !['onnx', '', null].includes(subfolder)) {
    const [option, found] = named === undefined ? ['model_file_name', name] : ['subfolder', subfolder];
    throw unsupported(`${option}: a model has one set of weights in thimble, found ${describe(found)}; ` +
      'leave it out, and pass dtype');
  }
  const stated = dtype !== 'auto' || named !== 'fp32';
  if (dtype === 'auto') dtype = named === 'fp32' && device === 'wasm' ? 'q8' : named;
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPES, dtype)) {
    throw invalid(`dtype: expected ${['auto', ...Object.keys(DTYPES)].join(', ')}, found ${describe(dtype)}`);
  }
  if (named !== 'fp32' && dtype === 'fp32') dtype = named;
  if (named !== 'fp32' && dtype !== named) {
    throw invalid(`model_file_name: expected model with dtype ${dtype}, found ${describe(name)}`);
  }
  return { dtype: DTYPES[dtype][0], file: `onnx/${DTYPES[dtype][1]}.onnx`, stated };
}

// A folder from an option or a setting; undefined where there is none.
function folderFrom(value, name) {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw invalid(`${name}: expected a path, found ${describe(value)}`);
  return value;
}

// Where models are besides thimble's own folder: {cache, local}, both undefined by default.
function foldersOf(options) {
  return {
    cache: folderFrom(options.cache_dir ?? env.cacheDir, options.cache_dir ? 'cache_dir' : 'env.cacheDir'),
    local: env.allowLocalModels ? folderFrom(chosen.localModelPath, 'env.localModelPath') : undefined,
  };
}

// Whether a model that is not on this machine is downloaded. What forbids it comes first.
function mayDownload(options) {
  const byDefault = downloadOf(options);
  if (options.local_files_only || chosen.allowRemoteModels === false) {
    if (env.allowLocalModels) return false;
    throw invalid('env.allowLocalModels: local models and downloads are both forbidden; allow one of them');
  }
  if (!(options.download ?? (chosen.allowRemoteModels || byDefault))) return false;
  checkRemote();
  return true;
}

// Models come from HF_ENDPOINT: another place that code has set is refused.
function checkRemote() {
  const usual = {
    remoteHost: process.env.HF_ENDPOINT || 'https://huggingface.co', remotePathTemplate: '{model}/resolve/{revision}',
  };
  for (const [setting, expected] of Object.entries(usual)) {
    const [found, wanted] = [env[setting] ?? '', expected].map((text) => String(text).replace(/\/+$/, ''));
    if (found === '' || found === wanted) continue;
    throw unsupported(`env.${setting}: expected ${describe(wanted)}, found ${describe(found)}; ` +
      'set HF_ENDPOINT to download from elsewhere');
  }
}

// The folder of a model that is a path, or that env.localModelPath has; undefined for others.
function localModel(name, { local }) {
  if (typeof name !== 'string' || name === '') throw invalid(`model: expected a name or a path, found ${describe(name)}`);
  if (isPath(name) || name.endsWith('.safetensors')) return name;
  const isHubName = name.split(/[/\\]/).length <= 2;
  const candidates = [...(isHubName ? [] : [name]), ...(local ? [path.join(local, name)] : [])];
  return candidates.map((folder) => path.resolve(folder)).find((folder) => fs.existsSync(path.join(folder, 'config.json')));
}

// Where new models go: the cache, unless it cannot be written.
function targetOf({ cache }) {
  if (cache === undefined) return undefined;
  let place = path.resolve(cache);
  while (!fs.existsSync(place) && path.dirname(place) !== place) place = path.dirname(place);
  try {
    fs.accessSync(place, fs.constants.W_OK);
    return cache;
  } catch {
    return undefined;
  }
}

// What make() gives; undefined if that is not found.
async function orNotFound(make) {
  try {
    return await make();
  } catch (error) {
    if (error.code !== 'not_found') throw error;
    return undefined;
  }
}

// The embedder of a model by its name, where the cache or thimble's own folder has it.
async function openPresent(name, settings, { cache }) {
  for (const folder of new Set([cache, undefined])) {
    const embedder = await orNotFound(() =>
      openShared(name, { ...settings, folder, download: false, pull: { presentOnly: true } }));
    if (embedder) return embedder;
  }
  return undefined;
}

const settingsOf = (options, dtype) => ({ dtype, revision: options.revision ?? undefined, truncation: 'transformers.js' });

// The embedder of a model. It is opened as the first of these has it: env.localModelPath, the cache, thimble's own folder; or
// made of what is on this machine, among others in the layout of transformers.js in the cache; or downloaded.
async function openPretrained(name, options = {}, { download = mayDownload(options) } = {}) {
  const { dtype, file, stated } = weightsOf(options);
  const folders = foldersOf(options);
  const ownDtype = !stated && String(name).endsWith('.safetensors');
  const settings = settingsOf(options, ownDtype ? undefined : dtype);
  const progress = progressOf(options.progress_callback, name, file);

  async function open() {
    const local = localModel(name, folders);
    if (local !== undefined) {
      // A folder has no revisions.
      const find = () => openShared(local, { ...settings, revision: undefined, folder: targetOf(folders), download: false });
      if (local === name) return find();
      const embedder = await orNotFound(find);
      if (embedder) return embedder;
    }
    const localFolders = [folders.cache, folders.local].filter(Boolean);
    return await openPresent(name, settings, folders) ?? openShared(name, {
      ...settings, folder: targetOf(folders), download, pull: { onProgress: progress.onProgress, localFolders },
    });
  }

  progress.begin();
  const embedder = await open();
  progress.end(embedder.info.fileBytes);
  return embedder;
}

// The same for what does not depend on the dtype: one that is there counts, if the options name none.
async function openAnyDtype(name, options = {}) {
  const dtypes = [weightsOf(options).dtype, ...(options.dtype ? [] : Object.values(DTYPES).map(([dtype]) => dtype))];
  const folders = foldersOf(options);
  if (localModel(name, folders) === undefined) {
    for (const dtype of new Set(dtypes)) {
      const embedder = await openPresent(name, settingsOf(options, dtype), folders);
      if (!embedder) continue;
      const progress = progressOf(options.progress_callback, name, 'tokenizer.json');
      progress.begin();
      progress.end(embedder.info.fileBytes);
      return embedder;
    }
  }
  return openPretrained(name, options);
}

module.exports = { foldersOf, openAnyDtype, openPresent, openPretrained, orNotFound, settingsOf, weightsOf };
