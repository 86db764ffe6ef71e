// The modules of Node.js.
'use strict';

// Not every bundle in ESM has a require; those that lack it get this one here.
const { createRequire } = process.getBuiltinModule?.('node:module') ?? require('node:module');

module.exports = { builtin: createRequire(process.execPath), createRequire };
