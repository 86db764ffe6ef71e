// The events that progress_callback gets while a model is opened.
'use strict';

const { describe, invalid } = require('../errors.js');

// {begin(), onProgress?, end(bytes)}. A model is one file to thimble, which events call by the name of the weights in
// transformers.js; a download counts all files of the repository that are read.
function progressOf(callback, name, file) {
  if (callback !== undefined && callback !== null && typeof callback !== 'function') {
    throw invalid(`progress_callback: expected a function, found ${describe(callback)}`);
  }
  if (!callback) return { begin() {}, end() {} };
  let bytes = 0;
  const send = (status) => callback({ status, name, file });
  function advance(loaded, total) {
    bytes = total;
    const progress = total > 0 ? 100 * loaded / total : 100;
    callback({ status: 'progress_total', name, progress, loaded, total, files: { [file]: { loaded, total } } });
    callback({ status: 'progress', name, file, progress, loaded, total });
  }
  return {
    begin() {
      send('initiate');
      send('download');
    },
    onProgress({ stage, bytes: loaded, totalBytes: total }) {
      if (stage === 'downloading' && total > 0) advance(loaded, total);
    },
    end(fileBytes) {
      advance(bytes || fileBytes, bytes || fileBytes);
      send('done');
    },
  };
}

module.exports = { progressOf };
