// createEmbeddingFunction, and the mocks.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Embedder, createEmbeddingFunction, mockEmbeddingFunction } from '../lib/index.mjs';
import { DIMENSIONS, cosine, modelFolder, root, words } from './support.mjs';

const folder = modelFolder();
const make = (options = {}) => createEmbeddingFunction({ modelName: 'small', folder, ...options });

delete process.env.THIMBLE_BACKEND;
afterEach(() => delete process.env.THIMBLE_BACKEND);

test('gives arrays of numbers, one for a text and one for each of an array', async () => {
  const embed = make();
  const one = await embed('a small vector');
  assert.ok(Array.isArray(one) && one.length === DIMENSIONS && one.every(Number.isFinite));
  const many = await embed(['memory', 'a small vector', '   ', '']);
  assert.deepEqual(many[1], one);
  assert.equal(many.length, 4);
  assert.deepEqual(many[2], many[3]);  // Blank is a text like any other: the special tokens alone.
  assert.deepEqual(await embed([]), []);
  const embedder = await Embedder.create('small', { folder });
  assert.deepEqual(one, Array.from(await embedder.embed('a small vector')));
});

test('takes the options of embedders', async () => {
  const text = words(30);
  const [q8, q4, short, raw] = await Promise.all([
    make()(text), make({ dtype: 'q4' })(text), make({ maxTokens: 8 })(text), make({ normalize: false })(text)]);
  assert.notDeepEqual(q4, q8);
  assert.notDeepEqual(short, q8);
  assert.ok(Math.abs(cosine(raw, q8) - 1) < 1e-6 && Math.abs(Math.hypot(...raw) - 1) > 1e-3);
  await assert.rejects(make({ maxTokens: 8, longTexts: 'error' })(text), /32 tokens, the limit is 8/);
  assert.notDeepEqual(await make({ maxTokens: 8, longTexts: 'chunk' })(text), short);
  const asked = await make({ promptName: 'passage' })(text);
  assert.deepEqual(asked, await make()(`passage: ${text}`));
  assert.deepEqual(await make()(text, { promptName: 'passage' }), asked);
  await assert.rejects(make()(text, { signal: AbortSignal.abort(new Error('stop')) }), /stop/);
  const controller = new AbortController();
  const embed = make({ signal: controller.signal });
  await embed(text);
  controller.abort(new Error('all of them'));
  await assert.rejects(embed(text), /all of them/);
});

test('names compare without case', async () => {
  assert.deepEqual(await make({ modelName: 'SMALL' })('a'), await make()('a'));
});

// The same goldens as those of the C++ mock, made by scripts/goldens/javascript.mjs.
test('the mock is Math.sin(h + i) * 0.1 to the last bit', async () => {
  for (const text of ['', 'a', 'hello world', 'Grüße \u{1F600}', 'x'.repeat(100000)]) {
    let hash = 0;
    for (let i = 0; i < text.length; ++i) hash += text.charCodeAt(i);
    const expected = Array.from({ length: 384 }, (_, i) => Math.sin(hash + i) * 0.1);
    assert.deepEqual(await mockEmbeddingFunction(text), expected);
    assert.deepEqual(await make({ backend: 'mock' })(text), expected);
    const embedder = await Embedder.create('small', { folder, backend: 'mock' });
    assert.deepEqual(await embedder.embed(text), Float32Array.from(expected));
  }
  assert.deepEqual(await mockEmbeddingFunction(['a', 'b']),
    [await mockEmbeddingFunction('a'), await mockEmbeddingFunction('b')]);
  await assert.rejects(mockEmbeddingFunction({}), { code: 'invalid_argument' });
  const unit = await make({ backend: 'mock', normalize: true })('a');
  assert.ok(Math.abs(Math.hypot(...unit) - 1) < 1e-12);
});

test('mock-hashed ranks by likeness and keeps the contract', async () => {
  const embed = make({ backend: 'mock-hashed' });
  const [cat, kitten, tax] = await embed(['the cat sleeps on the mat', 'a cat sleeps on a mat', 'quarterly tax report']);
  assert.ok(cosine(cat, kitten) > cosine(cat, tax) + 0.2);
  assert.ok(Math.abs(Math.hypot(...cat) - 1) < 1e-5);
  const embedder = await Embedder.create('small', { backend: 'mock-hashed', longTexts: 'error' });
  await assert.rejects(embedder.embed(words(1000)), /1002 tokens, the limit is 256/);
  const [report] = await embedder.embedInto(words(500), new Float32Array(384), { longTexts: 'chunk' });
  assert.deepEqual(report, { tokens: 502, truncated: false, chunks: 3 });
});

test('mocks have prompts', async () => {
  for (const backend of ['mock', 'mock-hashed']) {
    const embed = make({ backend });
    assert.deepEqual(await embed('a text', { promptName: 'query' }), await embed('query: a text'));
    await assert.rejects(embed('a', { promptName: 'other' }), { code: 'invalid_argument', message: /query, passage/ });
  }
});

test('THIMBLE_BACKEND turns functions into the mock, also those there already', async () => {
  const embed = make();
  const real = await embed('a');
  process.env.THIMBLE_BACKEND = 'mock';
  assert.deepEqual(await embed('a'), await mockEmbeddingFunction('a'));
  assert.equal((await Embedder.create('absent')).dimensions, 384);
  assert.deepEqual(await make({ backend: 'native' })('a'), real);
  process.env.THIMBLE_BACKEND = '';
  assert.deepEqual(await embed('a'), real);
  process.env.THIMBLE_BACKEND = 'gpu';
  await assert.rejects(embed('a'), { code: 'invalid_argument', message: /backend: .*found "gpu"/ });
});

test('require and import give the same functions', async () => {
  const { createRequire } = await import('node:module');
  const cjs = createRequire(import.meta.url)('../lib/index.js');
  assert.equal(cjs.createEmbeddingFunction, createEmbeddingFunction);
  const exported = Object.keys(await import('../lib/index.mjs')).sort();
  assert.deepEqual(exported, Object.keys(cjs).sort());
  const declared = readFileSync(join(root, 'lib', 'index.d.ts'), 'utf8');
  for (const name of exported) assert.match(declared, new RegExp(`export (class|function|const) ${name}\\b`));
});
