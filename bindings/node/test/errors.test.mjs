// Wrong use: clear errors that say where, what was expected and what was found.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Embedder, ModelPool, ThimbleError, createEmbeddingFunction, plan, remove } from '../lib/index.mjs';
import { DIMENSIONS, modelFolder, runModule, lib } from './support.mjs';

const folder = modelFolder();
const embedder = await Embedder.create('small', { folder });
const invalid = (message) => (error) => {
  assert.ok(error instanceof ThimbleError && error instanceof Error, error);
  assert.equal(error.code, 'invalid_argument');
  assert.match(error.message, message);
  return true;
};

test('texts of the wrong type', async () => {
  for (const texts of [undefined, null, 7, {}, true, Symbol('x'), () => {}, new Map(), Buffer.from('x')]) {
    await assert.rejects(embedder.embed(texts), invalid(/^texts: expected a string or an array of strings, found /));
  }
  await assert.rejects(embedder.embed(['a', 7]), invalid(/^texts\[1\]: expected a string, found 7$/));
  await assert.rejects(embedder.embed(['a', , 'b']), invalid(/^texts\[1\]: expected a string, found undefined$/));
  await assert.rejects(embedder.embedStream(['a'], { batchsize: 2 }).next(), invalid(/unknown option batchsize, expected batchSize, /));
  assert.throws(() => embedder.embedSync([null]), invalid(/^texts\[0\]: .*found null$/));
  await assert.rejects(embedder.embedTokens(['a']), invalid(/^text: expected a string, found an array$/));
  await assert.rejects(embedder.embedStream(7).next(), invalid(/iterable/));
  await assert.rejects(embedder.embedStream('abc').next(), invalid(/iterable/));
  await assert.rejects(embedder.embedStream(['a', 7]).next(), invalid(/^texts\[1\]/));
});

// lib/ lets no such word through; the addon must not take one for the default either.
test('words that the addon does not know', async () => {
  const { Pool } = createRequire(import.meta.url)('../lib/addon.js').addon();
  const invalid = (message) => (error) => error.code === 'invalid_argument' && message.test(error.message);
  assert.throws(() => new Pool({ folder, truncation: 'x' }, ''), invalid(/truncation.*"x"/));
  const pool = new Pool({ folder }, '');
  for (const [options, message] of [[{ pooling: 'x' }, /pooling.*"x"/], [{ longTexts: 'x' }, /longTexts.*"x"/]]) {
    const vectors = new Float32Array(DIMENSIONS);
    await assert.rejects(pool.embed(0, 'small', '', ['a'], options, vectors, 0), invalid(message));
    assert.throws(() => pool.embedSync('small', '', ['a'], options, vectors, 0), invalid(message));
  }
});

test('lone surrogates', async () => {
  await embedder.embed('\u{1F600} is a whole character');
  for (const text of ['\ud83d', 'a\ud83db', '\ude00\ud83d']) {
    await assert.rejects(embedder.embed(['fine', text]), invalid(/^texts\[1\]: character \d+ is a lone surrogate \(\\ud/));
    assert.throws(() => embedder.embedSync(text), invalid(/^texts\[0\]/));
  }
});

test('targets that are wrong, too small, or detached', async () => {
  await assert.rejects(embedder.embedInto('a', [1, 2]), invalid(/^vectors: expected a Float32Array, found an array$/));
  await assert.rejects(embedder.embedInto('a', new Float64Array(DIMENSIONS)), invalid(/Float64Array/));
  await assert.rejects(embedder.embedInto(['a', 'b'], new Float32Array(DIMENSIONS)), invalid(/room for 2 x 64 values, found 64/));
  const gone = new Float32Array(DIMENSIONS);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  await assert.rejects(embedder.embedInto('a', gone), invalid(/detached/));
  const going = new Float32Array(DIMENSIONS);
  const call = embedder.embedInto('a', going);
  const kept = structuredClone(going.buffer, { transfer: [going.buffer] });
  await assert.rejects(call, invalid(/room for 64 values from 0 on, found 0/));
  assert.ok(new Float32Array(kept).every((value) => value === 0));
});

test('arrays that are huge and empty', async () => {
  await assert.rejects(embedder.embed({ length: 2 ** 31 }), invalid(/found an object/));
  const most = [];
  most.length = 2 ** 32 - 1;
  await assert.rejects(embedder.embed(most), invalid(/^texts\[0\]: expected a string, found undefined/));
});

test('options with wrong names and values', async () => {
  const cases = [
    [{ dtype: 'int3' }, /^dtype: expected fp32, fp16, q8, q6, q4, q4-small, found "int3"$/],
    [{ maxMemory: 'lots' }, /^maxMemory: expected bytes above 0 or a size such as '16MB' or '1\.5GiB', found "lots"$/],
    [{ maxMemory: '1.5' }, /found "1\.5"$/], [{ maxMemory: '0.0001kB' }, /^maxMemory/], [{ maxMemory: '1.MB' }, /^maxMemory/],
    [{ maxMemory: '99999999999999999999' }, /^maxMemory/], [{ maxMemory: -1 }, /^maxMemory/], [{ threads: 0 }, /^threads: expected an integer from 1 to 64, found 0$/],
    [{ threads: 1.5 }, /^threads/], [{ maxTokens: 0 }, /^maxTokens/], [{ unloadAfterMs: -5 }, /^unloadAfterMs/],
    [{ pooling: 'median' }, /^pooling: expected mean, cls, last, max, mean_sqrt_len_tokens, weightedmean, found "median"$/], [{ normalize: 1 }, /^normalize/],
    [{ longTexts: 'split' }, /^longTexts: expected truncate, error, chunk, found "split"$/],
    [{ truncation: 'none' }, /^truncation: expected sentence-transformers, /], [{ promptName: 1 }, /^promptName/],
    [{ chunkOverlap: -1 }, /^chunkOverlap/], [{ backend: 'gpu' }, /^backend: expected native, mock, mock-hashed/],
    [{ folder: 5 }, /^folder/], [{ signal: {} }, /^signal: expected an AbortSignal/],
    [{ maxmemory: 5 }, /^options: unknown option maxmemory, expected .*maxMemory/],
  ];
  for (const [options, message] of cases) {
    await assert.rejects(Embedder.create('small', { folder, ...options }), invalid(message), JSON.stringify(options));
  }
  await assert.rejects(Embedder.create(), invalid(/^model: expected its name/));
  await assert.rejects(Embedder.create('small', null), invalid(/^options: expected an object/));
  assert.throws(() => createEmbeddingFunction({ dtype: 'int3' }), invalid(/^dtype/));
  assert.throws(() => createEmbeddingFunction({ modelname: 'x' }), invalid(/unknown option modelname/));
  assert.throws(() => new ModelPool({ maxModels: 0 }), invalid(/^maxModels/));
  await assert.rejects(embedder.embed('a', { poolin: 'cls' }), invalid(/unknown option poolin/));
  await assert.rejects(Embedder.create('small', { folder, maxTokens: 4000 }), invalid(/^maxTokens: expected at most \d+, .*, found 4000$/));
});

test('sizes are read as on the command line, and variables are named as what they are', async () => {
  const { parseSize, poolOptions } = createRequire(import.meta.url)('../lib/options.js');
  for (const [text, bytes] of [['4096', 4096], ['7B', 7], ['512kB', 512000], ['16 MB', 16e6], ['1.5MB', 1.5e6], ['1.001k', 1001],
    ['1.0009kB', 1000], ['4.35MB', 4.35e6], ['0.25 GiB', 2 ** 28], ['1.999999999GiB', 2147483646], ['1gi', 2 ** 30]]) {
    assert.equal(parseSize(text, 'size'), bytes, text);
  }
  process.env.THIMBLE_MAX_MEMORY = '1.5 GB';
  assert.equal(poolOptions({}).maxMemory, 1.5e9);
  process.env.THIMBLE_MAX_MEMORY = 'lots';
  assert.throws(() => poolOptions({}), invalid(/^THIMBLE_MAX_MEMORY: expected .*, found "lots"$/));
  delete process.env.THIMBLE_MAX_MEMORY;
});

test('models that are not there, not models, or nowhere', async () => {
  await assert.rejects(Embedder.create('Xenova/paraphrase-MiniLM-L3-v2', { folder, dtype: 'q4' }), (error) => {
    assert.equal(error.code, 'not_found');
    assert.match(error.message, /npx thimble pull Xenova\/paraphrase-MiniLM-L3-v2 --dtype q4, or pass download: true, or set THIMBLE_DOWNLOAD=1$/);
    return true;
  });
  writeFileSync(join(folder, 'noise-q8.safetensors'), 'not a model');
  await assert.rejects(Embedder.create('noise', { folder }), { name: 'ThimbleError', code: 'corrupt' });
  await assert.rejects(Embedder.create('a small', { folder }), invalid(/expected a name such as/));
  await assert.rejects(Embedder.create('/nowhere/x.safetensors'), { code: 'not_found' });
  assert.throws(() => remove('absent', { folder }), { code: 'not_found', message: /run npx thimble list/ });
  await assert.rejects(plan('small', { folder, maxMemory: 1000 }), { code: 'out_of_memory', message: /needs \d+ bytes, but only 1000 are allowed; raise maxMemory, or lower maxTokens or threads$/ });
});

test('a failed function tries again', async () => {
  const embed = createEmbeddingFunction({ modelName: 'later', folder });
  await assert.rejects(embed('a'), { code: 'not_found' });
  const { copyFileSync } = await import('node:fs');
  copyFileSync(join(folder, 'small-q8.safetensors'), join(folder, 'later-q8.safetensors'));
  assert.equal((await embed('a')).length, DIMENSIONS);
});

test('without the addon: what was tried and what to do, and mocks go on working', async () => {
  const text = `
    import { createEmbeddingFunction, mockEmbeddingFunction } from ${lib('index.mjs')};
    console.log((await mockEmbeddingFunction('a')).length);
    console.log((await createEmbeddingFunction({ backend: 'mock' })('a')).length);
    await createEmbeddingFunction()('a').catch((error) => console.log(error.code, error.message));`;
  const { code, out } = await runModule(text, { environment: { THIMBLE_NODE_ADDON: '/nowhere/thimble.node' } });
  assert.equal(code, 0);
  assert.match(out, /^384\n384\nunsupported thimble has no native addon for \S+\. Tried:\n  THIMBLE_NODE_ADDON: .*nowhere/);
  assert.match(out, /What to do: install/);
});
