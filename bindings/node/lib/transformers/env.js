// The settings of transformers.js.
'use strict';

const { downloadOf } = require('../options.js');

const LogLevel = Object.freeze({ DEBUG: 10, INFO: 20, WARNING: 30, ERROR: 40, NONE: 50 });

// What code has set of the settings whose default is no choice of anybody's.
const chosen = { allowRemoteModels: undefined, localModelPath: undefined };

// thimble follows version, allowRemoteModels, allowLocalModels, localModelPath and cacheDir, and downloads from HF_ENDPOINT
// alone. It accepts the other settings, so that code which sets them runs, and ignores them.
const env = {
  version: require('../../package.json').version,
  backends: { onnx: { wasm: {} } },
  logLevel: LogLevel.WARNING,
  // Whether models are downloaded. While it is undefined, THIMBLE_DOWNLOAD decides.
  get allowRemoteModels() {
    return chosen.allowRemoteModels ?? downloadOf({});
  },
  set allowRemoteModels(allowed) {
    chosen.allowRemoteModels = allowed === undefined ? undefined : Boolean(allowed);
  },
  remoteHost: '',
  remotePathTemplate: '',
  // Whether localModelPath is looked into.
  allowLocalModels: true,
  // Until it is set there is no such folder.
  get localModelPath() {
    return chosen.localModelPath ?? '/models/';
  },
  set localModelPath(path) {
    chosen.localModelPath = path;
  },
  useFS: true,
  useBrowserCache: false,
  useFSCache: true,
  cacheDir: null,
  useCustomCache: false,
  customCache: null,
  useWasmCache: false,
  cacheKey: 'transformers-cache',
};

module.exports = { LogLevel, chosen, env };
