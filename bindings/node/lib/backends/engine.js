// The engine of remote backends, whose code is loaded when it is first needed: it takes a megabyte of heap.
'use strict';

// As the constructor of RemoteEngine.
function remoteEngine(...values) {
  const { RemoteEngine } = require('./remote.js');
  return new RemoteEngine(...values);
}

module.exports = { remoteEngine };
