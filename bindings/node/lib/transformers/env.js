// The settings of transformers.js.
'use strict';

// The default of transformers.js, which the library's own folder is meant by.
const LOCAL_MODEL_PATH = '/models/';

// thimble follows cacheDir (the folder of models), localModelPath (if set, a folder of models in the layout
// ORGANISATION/NAME) and version. It accepts the other settings, so that code which sets them runs, and ignores them:
// it downloads only with the option `download: true`.
const env = {
  version: require('../../package.json').version,
  cacheDir: null,
  localModelPath: LOCAL_MODEL_PATH,
  allowLocalModels: true,
  allowRemoteModels: false,
  remoteHost: '',
  remotePathTemplate: '',
  useFS: true,
  useFSCache: true,
  useBrowserCache: false,
  useCustomCache: false,
  customCache: null,
  backends: { onnx: { wasm: {} } },
};

module.exports = { LOCAL_MODEL_PATH, env };
