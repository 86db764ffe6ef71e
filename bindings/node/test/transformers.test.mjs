// thimble/transformers: what transformers.js's own tests of feature extraction check, and its examples.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FeatureExtractionPipeline, env, magnitude, pipeline } from '../lib/transformers.mjs';
import { DIMENSIONS, modelFolder, realModels, words } from './support.mjs';

env.cacheDir = modelFolder();
// The same models of an organisation, and another model at a revision.
mkdirSync(join(env.cacheDir, 'Xenova'));
for (const dtype of ['fp32', 'q8']) {
  copyFileSync(join(env.cacheDir, `small-${dtype}.safetensors`), join(env.cacheDir, `Xenova/small-${dtype}.safetensors`));
}
copyFileSync(join(env.cacheDir, 'small-q8.safetensors'), join(env.cacheDir, 'Xenova/small@v2-fp32.safetensors'));
const TEXTS = ['This is a simple test.', 'Hello world'];

test('is a callable instance with a task, and knows no other task', async () => {
  const extractor = await pipeline('feature-extraction', 'Xenova/small');
  assert.ok(extractor instanceof FeatureExtractionPipeline && typeof extractor === 'function');
  assert.equal(extractor.task, 'feature-extraction');
  await extractor.dispose();
  await assert.rejects(pipeline('text-generation', 'Xenova/small'), { code: 'unsupported' });
});

test('default: vectors of tokens, not pooled and not normalised', async () => {
  const extractor = await pipeline('feature-extraction', 'Xenova/small');
  const output = await extractor(TEXTS[0]);
  assert.equal(output.type, 'float32');
  assert.deepEqual([output.dims[0], output.dims[2]], [1, DIMENSIONS]);
  const mean = await extractor(TEXTS[0], { pooling: 'mean' });
  assert.deepEqual(mean.dims, [1, DIMENSIONS]);
  const [rows] = output.tolist();
  for (let d = 0; d < DIMENSIONS; ++d) {
    const expected = rows.reduce((sum, row) => sum + row[d], 0) / rows.length;
    assert.ok(Math.abs(mean.data[d] - expected) < 1e-5);
  }
  assert.deepEqual((await extractor(TEXTS[0], { pooling: 'cls' })).tolist()[0], rows[0]);
  assert.deepEqual((await extractor(TEXTS[0], { pooling: 'last_token' })).tolist()[0], rows.at(-1));
  const unit = await extractor(TEXTS[0], { normalize: true });
  for (const row of unit.tolist()[0]) assert.ok(Math.abs(Math.hypot(...row) - 1) < 1e-5);
});

test('a batch is padded with zeros and pools as each text alone', async () => {
  const extractor = await pipeline('feature-extraction', 'Xenova/small');
  const output = await extractor(TEXTS);
  const alone = await extractor(TEXTS[1]);
  const length = alone.dims[1];
  assert.deepEqual(output.dims, [2, (await extractor(TEXTS[0])).dims[1], DIMENSIONS]);
  assert.ok(length < output.dims[1]);
  assert.deepEqual(output[1].tolist().slice(0, length), alone.tolist()[0]);
  assert.ok(output[1].tolist().slice(length).flat().every((value) => value === 0));
  const pooled = await extractor(TEXTS, { pooling: 'mean', normalize: true });
  assert.deepEqual(pooled.tolist()[1], (await extractor(TEXTS[1], { pooling: 'mean', normalize: true })).tolist()[0]);
  assert.ok(Math.abs(magnitude(pooled[0].data) - 1) < 1e-5);
});

test('dtypes by the names of transformers.js, fp32 if none is given', async () => {
  const vector = async (options) => (await (await pipeline('feature-extraction', 'small', options))('a', { pooling: 'mean' })).tolist();
  const fp32 = await vector();
  assert.deepEqual(await vector({ dtype: 'fp32' }), fp32);
  const q8 = await vector({ dtype: 'q8' });
  assert.notDeepEqual(q8, fp32);
  assert.deepEqual(await vector({ dtype: 'int8', device: 'cpu', revision: 'main', session_options: {} }), q8);
  assert.deepEqual(await vector({ quantized: true }), q8);
  assert.deepEqual(await vector({ dtype: 'q4f16' }), await vector({ dtype: 'q4' }));
  await assert.rejects(pipeline('feature-extraction', 'small', { dtype: 'int3' }), { code: 'invalid_argument' });
});

test('a revision is another model', async () => {
  const vector = async (options) =>
    (await (await pipeline('feature-extraction', 'Xenova/small', options))('a', { pooling: 'mean' })).tolist();
  const main = await vector();
  assert.deepEqual(await vector({ revision: 'main' }), main);
  assert.notDeepEqual(await vector({ revision: 'v2' }), main);
  await assert.rejects(vector({ revision: 'v3' }), { code: 'not_found', message: /Xenova\/small@v2 with dtype fp32/ });
  await assert.rejects(pipeline('feature-extraction', 'other/small'), { code: 'not_found', message: /Xenova\/small/ });
});

test('packs bits', async () => {
  const extractor = await pipeline('feature-extraction', 'small');
  const [row] = (await extractor(TEXTS[0], { pooling: 'mean' })).tolist();
  const bytes = Array.from({ length: DIMENSIONS / 8 }, (_, i) =>
    row.slice(8 * i, 8 * i + 8).reduce((byte, value) => byte * 2 + (value > 0 ? 1 : 0), 0));
  const unsigned = await extractor(TEXTS[0], { pooling: 'mean', quantize: true, precision: 'ubinary' });
  assert.deepEqual([unsigned.type, unsigned.dims, unsigned.tolist()], ['uint8', [1, DIMENSIONS / 8], [bytes]]);
  const signed = await extractor(TEXTS[0], { pooling: 'mean', quantize: true });
  assert.deepEqual([signed.type, signed.tolist()], ['int8', [bytes.map((byte) => byte - 128)]]);
  await assert.rejects(extractor(TEXTS[0], { quantize: true }), /pooled/);
  await assert.rejects(extractor(TEXTS[0], { pooling: 'mean', quantize: true, precision: 'int4' }), /precision/);
});

test('truncates at 512 tokens or where the model ends', async () => {
  const extractor = await pipeline('feature-extraction', 'small');
  assert.equal((await extractor(words(1000))).dims[1], 128);
});

// The figures printed in the documentation of transformers.js for this model in fp32.
test('the examples of transformers.js', { skip: !realModels && 'there is no real model' }, async () => {
  const extractor = await pipeline('feature-extraction', 'onnx-community/all-MiniLM-L6-v2', { cache_dir: realModels });
  let output = await extractor('This is a simple test.');
  assert.deepEqual(output.dims, [1, 8, 384]);
  assert.ok(Math.abs(output.data[0] - 0.2157987803220749) < 2e-6 && Math.abs(output.data[1] + 0.09140099585056305) < 2e-6);
  output = await extractor('This is a simple test.', { pooling: 'mean', normalize: true });
  assert.ok(Math.abs(output.data[0] - 0.09528215229511261) < 2e-6 && Math.abs(output.data[1] + 0.024730168282985687) < 2e-6);
  output = await extractor('This is a simple test.', { pooling: 'mean', quantize: true, precision: 'binary' });
  assert.deepEqual([output.type, output.dims, [...output.data.slice(0, 3)]], ['int8', [1, 48], [49, 108, 25]]);
});
