// Values of other realms, as test runners make them, and copies of the package in one process.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { Embedder, ThimbleError } from '../lib/index.mjs';
import { modelFolder } from './support.mjs';

const require = createRequire(import.meta.url);
const embedder = await Embedder.create('small', { folder: modelFolder() });

test('texts, targets and options of another realm', async () => {
  const [texts, target, options] = runInNewContext(`[['a small vector'], new Float32Array(${embedder.dimensions}), {}]`);
  await embedder.embedInto(texts, target, options);
  assert.deepEqual(Array.from(target), Array.from(await embedder.embed('a small vector')));
  for (const text of ['new Float64Array(64)', 'new ArrayBuffer(256)', "({ [Symbol.toStringTag]: 'Float32Array', length: 64 })"]) {
    await assert.rejects(embedder.embedInto(texts, runInNewContext(text)), /^ThimbleError: vectors: expected a Float32Array, found /);
  }
});

test('a signal of another realm', async () => {
  const controller = new AbortController();
  const own = controller.signal;
  const foreign = {
    get aborted() { return own.aborted; }, get reason() { return own.reason; }, throwIfAborted: () => own.throwIfAborted(),
    addEventListener: own.addEventListener.bind(own), removeEventListener: own.removeEventListener.bind(own),
  };
  await embedder.embed('a', { signal: foreign });
  const call = embedder.embed('a', { signal: foreign });
  controller.abort(new Error('enough'));
  await assert.rejects(call, /^Error: enough$/);
});

test('an error of another copy of the package, and of a subclass', () => {
  const file = require.resolve('../lib/errors.js');
  delete require.cache[file];
  const copy = require(file);
  assert.notEqual(copy.ThimbleError, ThimbleError);
  const error = new copy.ThimbleError('io', 'x');
  assert.ok(error instanceof ThimbleError && error instanceof Error);
  class Special extends ThimbleError {}
  assert.ok(new Special('io', 'x') instanceof ThimbleError && new Special('io', 'x') instanceof Special);
  assert.ok(!(error instanceof Special));
  for (const other of [new Error('x'), Object.assign(new Error('x'), { name: 'ThimbleError', code: 'io' }), null, 'x', {}]) {
    assert.ok(!(other instanceof ThimbleError));
  }
  assert.deepEqual(Object.keys(error).sort(), ['code', 'name']);
});

test('an error of the addon in another realm', () => {
  const { fromNative } = require('../lib/errors.js');
  const error = fromNative(runInNewContext("Object.assign(new Error('x'), { code: 'io' })"));
  assert.ok(error instanceof ThimbleError);
  assert.equal(error.code, 'io');
});
