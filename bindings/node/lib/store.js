// list() and remove(): the models in the folder; knownModels(): those of the built-in table.
'use strict';

const { addon } = require('./addon.js');
const { callSync } = require('./engine.js');
const { describe, invalid } = require('./errors.js');
const { checkDtype, checkNames, folderOf } = require('./options.js');

function list(options = {}) {
  checkNames(options, 'options', ['folder']);
  return callSync(addon(), 'list', folderOf(options));
}

function remove(model, options = {}) {
  checkNames(options, 'options', ['dtype', 'folder']);
  if (typeof model !== 'string') throw invalid(`model: expected a name or a folder, found ${describe(model)}`);
  return callSync(addon(), 'remove', model, checkDtype(options.dtype), folderOf(options));
}

const knownModels = () => callSync(addon(), 'knownModels');

module.exports = { knownModels, list, remove };
