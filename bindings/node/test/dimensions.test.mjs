// Shorter vectors and codes, whatever way they are asked for.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { embeddingModel } from '../lib/ai.mjs';
import { HalfArray, bitsOf, numbersOf } from '../lib/half.js';
import { Embedder, ModelPool, createEmbeddingFunction, mockEmbeddingFunction } from '../lib/index.mjs';
import { DIMENSIONS, build, modelFolder } from './support.mjs';

const folder = modelFolder();
const open = (options = {}) => Embedder.create('small', { folder, ...options });
const TEXTS = ['a small vector', '', 'memory of good playing 42'];
const PRECISIONS = {
  float16: globalThis.Float16Array ?? Uint16Array, int8: Int8Array, uint8: Uint8Array, binary: Int8Array, ubinary: Uint8Array,
};

// What the command line gives, which prints as many digits as a float32 needs.
function commandLine(texts, ...options) {
  const file = join(folder, 'small-q8.safetensors');
  const out = execFileSync(join(build, 'thimble'), ['embed', '-m', file, ...options, '--', ...texts], { encoding: 'utf8' });
  return out.trim().split('\n').map((line) => JSON.parse(line).embedding.map(Math.fround));
}

const plain = (vectors) => vectors.map(numbersOf);

test('vectors are the first components, normalised again', async () => {
  const embedder = await open();
  const whole = await embedder.embed(TEXTS, { normalize: false });
  const cut = await embedder.embed(TEXTS, { dimensions: 13 });
  cut.forEach((vector, i) => {
    const head = whole[i].slice(0, 13);
    const length = Math.hypot(...head);
    assert.equal(vector.length, 13);
    vector.forEach((value, k) => assert.ok(Math.abs(value - head[k] / length) < 1e-6));
  });
  assert.deepEqual(await embedder.embed(TEXTS, { dimensions: 13, normalize: false }), whole.map((vector) => vector.slice(0, 13)));
  assert.deepEqual(embedder.embedSync(TEXTS, { dimensions: 13 }), cut);
  const into = new Float32Array(4 * 13).fill(9);
  await embedder.embedInto(TEXTS, into, { dimensions: 13 });
  assert.deepEqual(into.slice(13, 26), cut[1]);
  assert.equal(into[39], 9);
  const streamed = [];
  for await (const { vector } of embedder.embedStream(TEXTS, { dimensions: 13, batchSize: 2 })) streamed.push(vector);
  assert.deepEqual(streamed, cut);
  assert.deepEqual(await createEmbeddingFunction({ modelName: 'small', folder, dimensions: 13 })(TEXTS), plain(cut));
  const many = Array(200).fill(TEXTS[0]);
  assert.deepEqual((await embedder.embed(many, { dimensions: 13 })).at(-1), cut[0]);
});

test('an embedder has the dimensions and the fingerprint that it was made with', async () => {
  const { info } = await open();
  const seen = new Set([info.fingerprint]);
  for (const options of [{ dimensions: 13 }, { dimensions: 16 }, { precision: 'float16' }, { precision: 'int8' }, { precision: 'binary' },
    { dimensions: 16, precision: 'int8' }]) {
    const embedder = await open(options);
    assert.equal(embedder.dimensions, options.dimensions ?? DIMENSIONS);
    assert.match(embedder.info.fingerprint, /^[0-9a-f]{32}$/);
    assert.ok(!seen.has(embedder.info.fingerprint));
    seen.add(embedder.info.fingerprint);
  }
  assert.equal((await open({ dimensions: DIMENSIONS })).info.fingerprint, info.fingerprint);
  const short = await open({ dimensions: 13 });
  assert.equal((await short.embed('a')).length, 13);
  assert.equal((await short.embed('a', { dimensions: 16 })).length, 16);
  const pool = new ModelPool({ folder });
  assert.equal((await (await pool.getModel('small', { dimensions: 8 })).embed('a')).length, 8);
  await pool.dispose();
});

test('codes are those of the command line', async () => {
  const embedder = await open();
  for (const [precision, Codes] of Object.entries(PRECISIONS)) {
    const expected = commandLine(TEXTS, '--dimensions', '13', '--precision', precision);
    const found = await embedder.embed(TEXTS, { dimensions: 13, precision });
    assert.deepEqual([found[0].constructor, plain(found)], [Codes, expected]);
    assert.deepEqual(embedder.embedSync(TEXTS, { dimensions: 13, precision }), found);
    const own = await open({ dimensions: 13, precision });
    assert.deepEqual(await own.embed(TEXTS), found);
    assert.ok((await own.embed('a', { precision: 'float32' })) instanceof Float32Array);
    const [{ length }] = found;
    const into = new Codes(new SharedArrayBuffer(3 * length * Codes.BYTES_PER_ELEMENT));
    await own.embedInto(TEXTS, into);
    assert.deepEqual(numbersOf(into), expected.flat());
    await assert.rejects(own.embedInto(TEXTS, new Float32Array(99)), { code: 'invalid_argument', message: /^vectors: expected an? / });
    assert.deepEqual(await createEmbeddingFunction({ modelName: 'small', folder, dimensions: 13, precision })(TEXTS), expected);
  }
});

test('halves are an array of numbers where there is one, and bits for all who ask for a Uint16Array', async () => {
  const embedder = await open({ precision: 'float16' });
  const halves = await embedder.embed(TEXTS);
  assert.ok(halves[0] instanceof HalfArray);
  const floats = await embedder.embed(TEXTS, { precision: 'float32' });
  numbersOf(halves[2]).forEach((value, i) => assert.ok(Math.abs(value - floats[2][i]) <= 2 ** -11 * Math.abs(floats[2][i])));
  const bits = new Uint16Array(3 * DIMENSIONS);
  await embedder.embedInto(TEXTS, bits);
  assert.deepEqual(bits, Uint16Array.from(halves.flatMap((vector) => [...bitsOf(vector)])));
  for await (const { text, vector } of embedder.embedStream(TEXTS)) assert.deepEqual(vector, halves[TEXTS.indexOf(text)]);
  const { embeddings } = await embeddingModel('small', { folder, precision: 'float16' }).doEmbed({ values: TEXTS });
  assert.deepEqual(embeddings, plain(halves));
  assert.equal(embedder.percentile(0.5), (await open()).percentile(0.5));
});

test('what would mean nothing is refused by name', async () => {
  const embedder = await open();
  const refused = (options, code, message) => assert.rejects(embedder.embed('a', options), { code, message });
  await refused({ dimensions: 0 }, 'invalid_argument', /^dimensions: /);
  await refused({ dimensions: 65 }, 'invalid_argument', /^dimensions: expected 1 to 64, the length of a vector of test, found 65$/);
  await refused({ precision: 'int4' }, 'invalid_argument', /^precision: expected float32, float16, int8, uint8, binary, ubinary/);
  await refused({ precision: 'int8', normalize: false }, 'invalid_argument', /^precision int8: only for vectors of unit length/);
  await refused({ precision: 'int8', pooling: 'cls' }, 'invalid_argument', /^precision int8: only for the pooling of test, mean/);
  await assert.rejects(open({ dimensions: 65 }), { code: 'invalid_argument', message: /^dimensions: / });
});

test('mocks have them, too', async () => {
  const [long] = await mockEmbeddingFunction(['a']);
  assert.deepEqual(await createEmbeddingFunction({ modelName: 'mock', dimensions: 8 })('a'), long.slice(0, 8));
  const mock = await Embedder.create('mock');
  assert.deepEqual([...await mock.embed('a', { dimensions: 8 })], [...Float32Array.from(long.slice(0, 8))]);
  const bits = await createEmbeddingFunction({ modelName: 'mock', precision: 'ubinary' })('a');
  assert.deepEqual(bits[0], long.slice(0, 8).reduce((byte, value, i) => byte + (value > 0 ? 128 >> i : 0), 0));
  assert.ok((await (await Embedder.create('mock-hashed')).embed('a', { precision: 'int8' })) instanceof Int8Array);
  await assert.rejects(createEmbeddingFunction({ modelName: 'mock', dimensions: 385 })('a'), { message: /^dimensions: / });
});

test('the AI SDK has them in its options of a call', async () => {
  const model = embeddingModel('small', { folder });
  const { embeddings } = await model.doEmbed({ values: TEXTS, providerOptions: { thimble: { dimensions: 13 } } });
  assert.deepEqual(embeddings, plain(await (await open()).embed(TEXTS, { dimensions: 13 })));
});
