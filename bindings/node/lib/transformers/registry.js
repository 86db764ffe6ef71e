// ModelRegistry of transformers.js: which models are on this machine.
'use strict';

const { builtin } = require('../addon.js');
const { invalid } = require('../errors.js');
const { withRevision } = require('../options.js');
const { remove } = require('../store.js');
const { foldersOf, openPresent, openPretrained, orNotFound, settingsOf, weightsOf } = require('./pretrained.js');

const path = builtin('node:path');

function checkTask(task) {
  if (!task) throw invalid('task: expected the name of a task, found none');
}

// A model is one file to thimble, by the name that progress_callback gets.
class ModelRegistry {
  static async get_files(model, options = {}) {
    return [weightsOf(options).file];
  }

  static async get_pipeline_files(task, model, options = {}) {
    checkTask(task);
    return this.get_files(model, options);
  }

  // Each model can be had in each of them.
  static async get_available_dtypes() {
    return ['fp32', 'fp16', 'q8', 'q4'];
  }

  // Whether the model can be opened without a download. Converts it if it has to be.
  static async is_cached(model, options = {}) {
    const found = await orNotFound(() =>
      openPretrained(model, { ...options, progress_callback: undefined }, { download: false }));
    return found !== undefined;
  }

  static async is_pipeline_cached(task, model, options = {}) {
    checkTask(task);
    return this.is_cached(model, options);
  }

  static async is_cached_files(model, options = {}) {
    const cached = await this.is_cached(model, options);
    return { allCached: cached, files: [{ file: weightsOf(options).file, cached }] };
  }

  static async is_pipeline_cached_files(task, model, options = {}) {
    checkTask(task);
    return this.is_cached_files(model, options);
  }

  // Removes the model, and what was made of its folders, from the cache, or if none is set, from thimble's own folder. What
  // other programs keep stays.
  static async clear_cache(model, options = {}) {
    const { dtype, file } = weightsOf(options);
    const { cache, local } = foldersOf(options);
    const names = [withRevision(model, options.revision ?? undefined)];
    for (const folder of [cache, local].filter(Boolean)) names.push(path.resolve(folder, model));
    // What is loaded would be found as long as it stays so.
    await (await openPresent(model, settingsOf(options, dtype), { cache }))?.unload();
    const removed = [];
    for (const name of names) removed.push(...await orNotFound(() => remove(name, { dtype, folder: cache })) ?? []);
    const deleted = removed.length > 0;
    return { filesDeleted: removed.length, filesCached: removed.length, files: [{ file, deleted, wasCached: deleted }] };
  }

  static async clear_pipeline_cache(task, model, options = {}) {
    checkTask(task);
    return this.clear_cache(model, options);
  }
}

module.exports = { ModelRegistry };
