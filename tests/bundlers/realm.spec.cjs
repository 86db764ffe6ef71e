// Run by jest, which gives each file a realm of its own, other than that of the addon.
'use strict';

const { runInNewContext } = require('node:vm');
const { Embedder, ThimbleError } = require('thimble');

test('vectors, targets and signals', async () => {
  const embedder = await Embedder.create(process.env.THIMBLE_MODEL);
  const vector = await embedder.embed('a text');
  expect(vector).toBeInstanceOf(Float32Array);
  expect((await embedder.embedTokens('a text')).vectors).toBeInstanceOf(Float32Array);
  const { signal } = new AbortController();
  for (const target of [new Float32Array(vector.length), runInNewContext(`new Float32Array(${vector.length})`)]) {
    await embedder.embedInto(['a text'], target, { signal });
    expect(Array.from(target)).toEqual(Array.from(vector));
  }
});

test('errors', async () => {
  const error = await Embedder.create('/none.safetensors').catch((error) => error);
  expect(error).toBeInstanceOf(Error);
  expect(error).toBeInstanceOf(ThimbleError);
  expect(error).toMatchObject({ name: 'ThimbleError', code: 'not_found' });
  jest.resetModules();
  expect(error).toBeInstanceOf(require('thimble').ThimbleError);
});
