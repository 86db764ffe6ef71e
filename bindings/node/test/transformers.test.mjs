// thimble/transformers: what transformers.js's own tests of feature extraction check, and its examples.

import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { list } from '../lib/index.mjs';
import { FeatureExtractionPipeline, ModelRegistry, env, magnitude, pipeline } from '../lib/transformers.mjs';
import { DIMENSIONS, modelFolder, needRealModel, realModels, temporaryFolder, words } from './support.mjs';

// The caches of whoever runs the tests stay out of them.
Object.assign(process.env, { HF_HOME: temporaryFolder(), HF_HUB_CACHE: '', HUGGINGFACE_HUB_CACHE: '' });
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
  await assert.rejects(extractor('a'), { code: 'invalid_argument', message: /disposed of/ });
  await assert.rejects(pipeline('text-generation', 'Xenova/small'), { code: 'unsupported' });
  await assert.rejects(pipeline('text-classification', 'Xenova/small'), /; for a reranker, use rerank of thimble$/);
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
  assert.deepEqual(await vector({ dtype: { model: 'q8' } }), q8);
  assert.deepEqual(await vector({ dtype: null, device: null, quantized: null }), fp32);
  assert.deepEqual(await vector({ quantized: true, dtype: 'fp32' }), fp32);
  assert.deepEqual(await vector({ quantized: false, model_file_name: 'model_quantized' }), q8);
  assert.deepEqual(await vector({ device: { model: 'wasm' } }), q8);
  assert.deepEqual(await vector({ dtype: 'q4f16' }), await vector({ dtype: 'q4' }));
  for (const [options, code, message] of [
    [{ dtype: 'int3' }, 'invalid_argument', /^dtype: expected auto, .* found "int3"/],
    [{ dtype: ['q8'] }, 'invalid_argument', /^dtype: .* found an array/],
    [{ dtype: 'q4', model_file_name: 'model_fp16' }, 'invalid_argument', /^model_file_name/],
    [{ model_file_name: 'model_O4' }, 'unsupported', /^model_file_name/],
    [{ subfolder: 'openvino' }, 'unsupported', /^subfolder/],
    [{ device: 'webgpu' }, 'unsupported', /^device: expected auto, cpu, wasm, found "webgpu"/],
    [{ cache_dir: 5 }, 'invalid_argument', /^cache_dir/],
    [{ progress_callback: 5 }, 'invalid_argument', /^progress_callback/],
  ]) {
    await assert.rejects(vector(options), { code, message });
  }
});

test('texts: none, nested ones and halves of characters', async () => {
  const extractor = await pipeline('feature-extraction', 'small');
  const vector = async (texts) => (await extractor(texts, { pooling: 'mean' })).tolist();
  assert.deepEqual(await vector([['Hello ', 'world']]), await vector('Hello world'));
  assert.deepEqual(await vector('a \ud800 b'), await vector('a \ufffd b'));
  await assert.rejects(extractor([]), { code: 'invalid_argument', message: /empty array/ });
  await assert.rejects(extractor([['a', ['b']]]), { code: 'invalid_argument' });
  await assert.rejects(extractor([null]), { code: 'invalid_argument', message: /^texts\[0\]/ });
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

test('the path of a model file means its own dtype, unless another is named', async () => {
  const file = join(env.cacheDir, 'small-q8.safetensors');
  const extractor = await pipeline('feature-extraction', file);
  assert.equal(extractor.embedder.info.dtype, 'q8');
  await assert.rejects(pipeline('feature-extraction', file, { dtype: 'fp32' }), { code: 'invalid_argument', message: /found fp32/ });
});

test('reports its progress', async () => {
  const events = [];
  await pipeline('feature-extraction', 'small', { progress_callback: (event) => events.push(event) });
  const [name, file] = ['small', 'onnx/model.onnx'];
  const total = statSync(join(env.cacheDir, 'small-fp32.safetensors')).size;
  const figures = { progress: 100, loaded: total, total };
  assert.deepEqual(events, [
    { status: 'initiate', name, file }, { status: 'download', name, file },
    { status: 'progress_total', name, ...figures, files: { [file]: { loaded: total, total } } },
    { status: 'progress', name, file, ...figures }, { status: 'done', name, file },
    { status: 'ready', task: 'feature-extraction', model: 'small' },
  ]);
  const failure = new Error('enough');
  await assert.rejects(pipeline('feature-extraction', 'small', { progress_callback() { throw failure; } }), failure);
});

const converts = { skip: process.platform === 'win32' && 'Windows converts no folder' };

// A folder for each place that thimble searches, and `vector`, which shows which model it finds there.
async function places(context) {
  const folders = Object.fromEntries(['home', 'cache', 'local'].map((name) => [name, temporaryFolder()]));
  process.env.THIMBLE_HOME = folders.home;
  const cacheDir = env.cacheDir;
  env.cacheDir = null;
  context.after(() => {
    delete process.env.THIMBLE_HOME;
    Object.assign(env, { cacheDir, localModelPath: undefined, allowLocalModels: true, allowRemoteModels: undefined });
  });
  const vector = async (name, options) =>
    (await (await pipeline('feature-extraction', name, options))('a', { pooling: 'mean' })).tolist();
  return { ...folders, vector, models: cacheDir };
}

test('cache_dir: as thimble keeps models, then thimble\'s own folder, then as transformers.js keeps them', converts, async (context) => {
  const { home, cache, vector, models } = await places(context);
  const copyModel = (dtype, folder) => copyFileSync(join(models, `small-${dtype}.safetensors`), join(folder, 'tiny-fp32.safetensors'));
  const options = { cache_dir: cache };
  await assert.rejects(vector('acme/tiny', options), { code: 'not_found' });
  cpSync(join(models, 'source'), join(cache, 'acme/tiny'), { recursive: true });
  assert.equal(await ModelRegistry.is_cached('acme/tiny', options), true);
  const converted = await vector('acme/tiny', options);
  assert.equal(list({ folder: cache }).length, 1);
  assert.deepEqual(list({ folder: home }), []);
  mkdirSync(join(home, 'acme'));
  copyModel('q8', join(home, 'acme'));
  const own = await vector('acme/tiny', options);
  assert.notDeepEqual(own, converted);
  assert.deepEqual(await vector('acme/tiny'), own);
  copyModel('q4', join(cache, 'acme'));
  const cached = await vector('acme/tiny', options);
  assert.notDeepEqual(cached, own);
  env.cacheDir = cache;
  assert.deepEqual(await vector('acme/tiny', { cache_dir: null }), cached);
  // The folder in the layout of transformers.js stays, and what was made of it goes too.
  const file = 'onnx/model.onnx';
  assert.deepEqual(await ModelRegistry.clear_cache('acme/tiny'),
    { filesDeleted: 2, filesCached: 2, files: [{ file, deleted: true, wasCached: true }] });
  assert.deepEqual(list({ folder: cache }), []);
  assert.ok(existsSync(join(cache, 'acme/tiny/config.json')));
  assert.deepEqual(await ModelRegistry.clear_pipeline_cache('feature-extraction', 'acme/tiny'),
    { filesDeleted: 0, filesCached: 0, files: [{ file, deleted: false, wasCached: false }] });
  assert.deepEqual(await vector('acme/tiny'), own);
});

test('a cache that cannot be written is read', { skip: converts.skip || (process.getuid?.() === 0 && 'root writes everywhere') }, async (context) => {
  const { home, cache, vector, models } = await places(context);
  cpSync(join(models, 'source'), join(cache, 'acme/tiny'), { recursive: true });
  chmodSync(cache, 0o555);
  context.after(() => chmodSync(cache, 0o755));
  await vector('acme/tiny', { cache_dir: cache });
  assert.equal(list({ folder: home }).length, 1);
});

test('env.localModelPath comes first, as far as local models are allowed', converts, async (context) => {
  const { home, local, vector, models } = await places(context);
  mkdirSync(join(home, 'acme'));
  copyFileSync(join(models, 'small-q8.safetensors'), join(home, 'acme/tiny-fp32.safetensors'));
  cpSync(join(models, 'source'), join(local, 'tiny'), { recursive: true });
  const other = await vector('tiny');
  env.localModelPath = local;
  const found = await vector('tiny');
  assert.notDeepEqual(found, other);
  assert.deepEqual(await vector(join(local, 'tiny'), { revision: 'main' }), found);
  assert.deepEqual(await vector('acme/tiny'), other);
  env.allowLocalModels = false;
  assert.deepEqual(await vector('tiny'), other);
  await assert.rejects(vector('tiny', { local_files_only: true }), { code: 'invalid_argument', message: /both forbidden/ });
});

test('ModelRegistry lists the models on this machine', async () => {
  const file = 'onnx/model_quantized.onnx';
  const options = { dtype: 'q8' };
  assert.equal(await ModelRegistry.is_pipeline_cached('feature-extraction', 'small', options), true);
  assert.deepEqual(await ModelRegistry.is_cached_files('absent', options), { allCached: false, files: [{ file, cached: false }] });
  assert.deepEqual(await ModelRegistry.get_pipeline_files('feature-extraction', 'small', options), [file]);
  assert.ok((await ModelRegistry.get_available_dtypes('small')).includes('q4'));
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
test('the examples of transformers.js', { skip: needRealModel() }, async () => {
  const extractor = await pipeline('feature-extraction', 'onnx-community/all-MiniLM-L6-v2', { cache_dir: realModels });
  let output = await extractor('This is a simple test.');
  assert.deepEqual(output.dims, [1, 8, 384]);
  assert.ok(Math.abs(output.data[0] - 0.2157987803220749) < 2e-6 && Math.abs(output.data[1] + 0.09140099585056305) < 2e-6);
  output = await extractor('This is a simple test.', { pooling: 'mean', normalize: true });
  assert.ok(Math.abs(output.data[0] - 0.09528215229511261) < 2e-6 && Math.abs(output.data[1] + 0.024730168282985687) < 2e-6);
  output = await extractor('This is a simple test.', { pooling: 'mean', quantize: true, precision: 'binary' });
  assert.deepEqual([output.type, output.dims, [...output.data.slice(0, 3)]], ['int8', [1, 48], [49, 108, 25]]);
});
