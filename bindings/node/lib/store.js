// list() and remove(): the models in the folder.
'use strict';

const { addon } = require('./addon.js');
const { fromNative, invalid, describe } = require('./errors.js');
const { checkDtype, checkNames, checkType, folderOf } = require('./options.js');

function list(options = {}) {
  checkNames(options, 'options', ['folder']);
  try {
    return addon().list(folderOf(options));
  } catch (error) {
    throw fromNative(error);
  }
}

function remove(model, options = {}) {
  checkNames(options, 'options', ['dtype', 'folder']);
  if (typeof model !== 'string') throw invalid(`model: expected a name or a folder, found ${describe(model)}`);
  try {
    return addon().remove(model, checkDtype(options.dtype), folderOf(options));
  } catch (error) {
    throw fromNative(error);
  }
}

module.exports = { list, remove };
