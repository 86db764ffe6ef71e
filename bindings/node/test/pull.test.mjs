// pull() and download: true, with a hub on loopback.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  Embedder, ModelPool, ThimbleError, createEmbeddingFunction, knownModels, list, plan, pull, remove,
} from '../lib/index.mjs';
import { env, pipeline } from '../lib/transformers.mjs';
import { DIMENSIONS, lib, modelFolder, root, runModule, temporaryFolder } from './support.mjs';

const all = temporaryFolder();
const source = join(modelFolder(), 'source');
const REPOSITORY = 'test/tiny';
// Where nothing listens: whoever asks the network fails.
const NOWHERE = 'http://127.0.0.1:9';

// A hub that serves the random model; `requests` grows with each answer.
async function startHub(rate) {
  const program = join(root, '..', '..', 'tests', 'support', 'fake_hub.py');
  const child = spawn('python3', [program, source, REPOSITORY, ...(rate ? [String(rate)] : [])],
    { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const requests = [];
  const url = await new Promise((resolve) => lines.once('line', resolve));
  lines.on('line', (line) => requests.push(JSON.parse(line)));
  after(() => child.kill());
  return { url, requests };
}

const hub = await startHub();
const slow = await startHub(200_000);
// The caches of whoever runs the tests stay out of them.
Object.assign(process.env, { HF_HOME: join(all, 'huggingface'), HF_HUB_CACHE: '', HUGGINGFACE_HUB_CACHE: '' });
function use({ url }) {
  process.env.HF_ENDPOINT = url;
  process.env.no_proxy = '*';
  return mkdtempSync(join(all, 'models-'));
}

test('gets a model once, and tells how far it is', async () => {
  const folder = use(hub);
  const events = [];
  const found = await pull(REPOSITORY, { folder, dtype: 'q4', onProgress: (event) => events.push(event) });
  const path = join(folder, 'test', 'tiny-q4.safetensors');
  const { bytes, revision, ...rest } = found;
  assert.deepEqual(rest, { name: 'tiny', dtype: 'q4', path, organisation: 'test', repository: REPOSITORY, downloaded: true });
  assert.ok(bytes > 10000 && /^[0-9a-f]{40}$/.test(revision));
  assert.deepEqual(readdirSync(folder), ['test']);
  assert.ok(events.length > 0);
  for (const event of events) {
    assert.deepEqual(Object.keys(event), ['stage', 'bytes', 'totalBytes', 'share']);
    assert.ok(event.bytes <= event.totalBytes && event.share >= 0 && event.share <= 1);
  }
  assert.deepEqual(await pull(REPOSITORY, { folder, dtype: 'q4' }), { ...found, downloaded: false });
  assert.equal((await (await Embedder.create(REPOSITORY, { folder, dtype: 'q4' })).embed('a')).length, DIMENSIONS);
});

test('leaves the event loop alone, and events come in order', async () => {
  const folder = use(slow);
  let ticks = 0;
  const timer = setInterval(() => ++ticks, 10);
  const bytes = [];
  await pull(REPOSITORY, { folder, onProgress: (event) => event.stage === 'downloading' && bytes.push(event.bytes) });
  clearInterval(timer);
  assert.ok(ticks > 50, `${ticks} ticks`);
  assert.ok(bytes.length > 5 && bytes.every((value, i) => i === 0 || value >= bytes[i - 1]), bytes.join());
});

test('an aborted pull ends, and a later one goes on', async () => {
  const folder = use(slow);
  const controller = new AbortController();
  const reason = new Error('enough');
  const onProgress = ({ bytes }) => bytes > 100_000 && controller.abort(reason);
  await assert.rejects(pull(REPOSITORY, { folder, signal: controller.signal, onProgress }), reason);
  await assert.rejects(pull(REPOSITORY, { folder, signal: AbortSignal.abort(reason) }), reason);
  assert.ok(!existsSync(join(folder, 'test')));
  process.env.HF_ENDPOINT = hub.url;
  const before = hub.requests.length;
  assert.equal((await pull(REPOSITORY, { folder })).downloaded, true);
  const ranges = hub.requests.slice(before).filter(({ headers }) => headers.range);
  assert.match(ranges.at(-1).headers.range, /^bytes=\d{4,}-$/);
  assert.equal(ranges.at(-1).status, 206);
});

// The random model with so many layers that its conversion takes a while.
function deepModel(layers) {
  const folder = join(mkdtempSync(join(all, 'source-')), 'deep');
  cpSync(source, folder, { recursive: true });
  const file = join(folder, 'config.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file)), num_hidden_layers: layers }));
  const weights = readFileSync(join(source, 'model.safetensors'));
  const data = 8 + Number(weights.readBigUInt64LE(0));
  const tensors = JSON.parse(weights.subarray(8, data));
  const parts = [];
  let size = 0;
  const header = {};
  const add = (name, { data_offsets: [begin, end], ...tensor }) => {
    header[name] = { ...tensor, data_offsets: [size, size += end - begin] };
    parts.push(weights.subarray(data + begin, data + end));
  };
  for (const [name, tensor] of Object.entries(tensors)) {
    const [, before, behind] = /^(.*layer\.)0(\..*)$/.exec(name) ?? [];
    if (before !== undefined) for (let i = 0; i < layers; ++i) add(`${before}${i}${behind}`, tensor);
    else if (!/layer\.\d/.test(name) && name !== '__metadata__') add(name, tensor);
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([length, json, ...parts]));
  return folder;
}

test('an aborted conversion ends soon, and leaves nothing', async () => {
  const folder = use(hub);
  const deep = deepModel(24);
  let begin = performance.now();
  await pull(deep, { folder });
  const whole = performance.now() - begin;
  assert.deepEqual(readdirSync(folder), ['.folders', 'deep-q8.safetensors']);
  assert.equal(remove(deep, { folder }).length, 1);
  rmSync(join(folder, 'deep-q8.safetensors'));
  const controller = new AbortController();
  const reason = new Error('enough');
  const onProgress = ({ stage }) => stage === 'converting' && controller.abort(reason);
  begin = performance.now();
  await assert.rejects(pull(deep, { folder, signal: controller.signal, onProgress }), reason);
  while (existsSync(join(folder, '.pull'))) await new Promise((resolve) => setTimeout(resolve, 5));
  const ended = performance.now() - begin;
  assert.deepEqual(readdirSync(folder), []);
  assert.ok(ended < whole / 2, `${ended} ms of ${whole}`);
});

test('what onProgress throws ends the pull', async () => {
  const folder = use(slow);
  await assert.rejects(pull(REPOSITORY, { folder, onProgress() { throw new RangeError('no'); } }), RangeError);
  assert.ok(!existsSync(join(folder, 'test')));
});

test('pulls at the same time download once', async () => {
  const folder = use(hub);
  const before = hub.requests.length;
  const found = await Promise.all(Array.from({ length: 4 }, () => pull(REPOSITORY, { folder })));
  assert.equal(found.filter(({ downloaded }) => downloaded).length, 1);
  assert.equal(hub.requests.slice(before).filter(({ path }) => path.endsWith('/model.safetensors')).length, 2);
});

const ways = {
  createEmbeddingFunction: (options) => createEmbeddingFunction({ modelName: REPOSITORY, ...options })('a'),
  create: (options) => Embedder.create(REPOSITORY, options),
  getModel: (options) => new ModelPool(options).getModel(REPOSITORY),
  poolPlan: (options) => new ModelPool(options).plan(REPOSITORY),
  preload: (options) => new ModelPool(options).preload(REPOSITORY),
  pin: (options) => new ModelPool(options).pin(REPOSITORY),
  plan: (options) => plan(REPOSITORY, options),
  pipeline: ({ folder, ...rest }) => pipeline('feature-extraction', REPOSITORY, { dtype: 'q8', cache_dir: folder, ...rest }),
};

for (const [name, way] of Object.entries(ways)) {
  test(`${name}: nothing downloads unless asked to`, async () => {
    const folder = use(hub);
    const before = hub.requests.length;
    await assert.rejects(way({ folder }), (error) => {
      assert.ok(error instanceof ThimbleError);
      assert.equal(error.code, 'not_found');
      const advice = `get it with: THIMBLE_HOME=${folder} npx thimble pull test/tiny --dtype q8, or pass download: true, ` +
        'or set THIMBLE_DOWNLOAD=1';
      assert.ok(error.message.endsWith(advice), error.message);
      return true;
    });
    assert.deepEqual([hub.requests.length, readdirSync(folder)], [before, []]);
    await way({ folder, download: true });
    assert.deepEqual(readdirSync(join(folder, 'test')), ['tiny-q8.safetensors']);
  });
}

test('downloads are allowed once and for all by THIMBLE_DOWNLOAD or env.allowRemoteModels', async (context) => {
  const folder = use(hub);
  const open = (options) => pipeline('feature-extraction', REPOSITORY, { dtype: 'q8', cache_dir: folder, ...options });
  assert.equal(env.allowRemoteModels, false);
  context.after(() => {
    delete process.env.THIMBLE_DOWNLOAD;
    Object.assign(env, { allowRemoteModels: undefined, remoteHost: '' });
  });
  process.env.THIMBLE_DOWNLOAD = '1';
  assert.equal(env.allowRemoteModels, true);
  await assert.rejects(open({ local_files_only: true }), { code: 'not_found' });
  await assert.rejects(open({ download: false }), { code: 'not_found' });
  await assert.rejects(Embedder.create(REPOSITORY, { folder, download: false }), { code: 'not_found' });
  assert.equal((await createEmbeddingFunction({ modelName: REPOSITORY, folder })('a')).length, DIMENSIONS);
  assert.equal(remove(REPOSITORY, { folder }).length, 1);
  process.env.THIMBLE_DOWNLOAD = 'yes';
  await assert.rejects(Embedder.create(REPOSITORY, { folder }), { code: 'invalid_argument', message: /^THIMBLE_DOWNLOAD: expected 1 or 0/ });
  process.env.THIMBLE_DOWNLOAD = '1';
  env.allowRemoteModels = false;
  await assert.rejects(open({}), { code: 'not_found' });
  await assert.rejects(open({ download: true }), { code: 'not_found' });
  delete process.env.THIMBLE_DOWNLOAD;
  env.allowRemoteModels = true;
  env.remoteHost = NOWHERE;
  await assert.rejects(open({}), { code: 'unsupported', message: /^env.remoteHost: .*HF_ENDPOINT/ });
  env.remoteHost = `${hub.url}/`;
  await open({});
  assert.deepEqual(readdirSync(join(folder, 'test')), ['tiny-q8.safetensors']);
});

test('another revision and another organisation are other models', async () => {
  const folder = use(hub);
  const first = await pull(REPOSITORY, { folder, revision: 'refs/pr/1' });
  assert.equal(first.name, 'tiny@refs/pr/1');
  await assert.rejects(Embedder.create(REPOSITORY, { folder }), { code: 'not_found', message: /test\/tiny@refs\/pr\/1/ });
  await assert.rejects(Embedder.create('other/tiny', { folder }), { code: 'not_found', message: /test\/tiny@refs/ });
  const byOption = await Embedder.create(REPOSITORY, { folder, revision: 'refs/pr/1' });
  const byName = await Embedder.create(`${REPOSITORY}@refs/pr/1`, { folder });
  assert.deepEqual(await byOption.embed('a'), await byName.embed('a'));
  const pool = new ModelPool({ folder });
  await pool.preload('TINY', { revision: first.revision });
  await pool.preload('tiny', { revision: 'refs/pr/1' });
  assert.equal(pool.stats().models.length, 1);
  await pool.unload(REPOSITORY, { revision: 'refs/pr/1' });
  assert.equal(pool.stats().models.length, 0);
  await pool.dispose();
  assert.equal((await pull(REPOSITORY, { folder })).downloaded, false);  // The same commit.
  assert.deepEqual(list({ folder }).map(({ name }) => name), ['tiny', 'tiny@refs/pr/1']);
  assert.equal(remove('tiny', { folder })[0].path, join(folder, 'test', 'tiny-q8.safetensors'));
  assert.throws(() => remove('tiny', { folder }), { code: 'not_found', message: /test\/tiny@refs/ });
  await assert.rejects(Embedder.create('tiny@a', { folder, revision: 'b' }), { code: 'invalid_argument' });
  await assert.rejects(Embedder.create('./tiny', { folder, revision: 'b' }), { code: 'invalid_argument' });
});

test('a folder works wherever a name does, and is converted once', async () => {
  const folder = use({ url: NOWHERE });
  const mine = join(mkdtempSync(join(all, 'source-')), 'mine');
  cpSync(source, mine, { recursive: true });
  const first = await (await Embedder.create(mine, { folder })).embed('a');
  const made = list({ folder });
  assert.deepEqual(made.map(({ name }) => name), [mine]);
  assert.deepEqual(await createEmbeddingFunction({ modelName: mine, folder })('a'), Array.from(first));
  const pool = new ModelPool({ folder });
  await pool.pin(mine);
  assert.ok((await pool.plan(mine)).peakBytes > 0);
  assert.equal(pool.stats().models.length, 1);
  pool.unpin(mine);
  await pool.dispose();
  assert.deepEqual(list({ folder }).map(({ path }) => path), [made[0].path]);
  const pipe = await pipeline('feature-extraction', mine, { dtype: 'q8', cache_dir: folder });
  assert.equal((await pipe('a', { pooling: 'mean' })).dims[1], DIMENSIONS);
  // Another content is another model.
  const modules = join(mine, 'modules.json');
  writeFileSync(modules, JSON.stringify(JSON.parse(readFileSync(modules)).slice(0, 2)));
  const changed = await Embedder.create(mine, { folder });
  assert.equal(changed.info.normalize, false);
  assert.equal((await pull(mine, { folder, name: 'acme/mine' })).path, join(folder, 'acme', 'mine-q8.safetensors'));
  assert.equal((await Embedder.create('mine', { folder })).info.normalize, false);
  await assert.rejects(Embedder.create(join(mine, 'absent'), { folder }), { code: 'not_found', message: /absent/ });
});

test("transformers.js's layout and cache are used without a download", async () => {
  const folder = use({ url: NOWHERE });
  const models = mkdtempSync(join(all, 'local-'));
  cpSync(source, join(models, 'acme', 'tiny'), { recursive: true });
  env.localModelPath = models;
  const pipe = await pipeline('feature-extraction', 'acme/tiny', { dtype: 'q8', cache_dir: folder });
  assert.equal((await pipe('a', { pooling: 'mean' })).dims[1], DIMENSIONS);
  env.localModelPath = undefined;
  await assert.rejects(pipeline('feature-extraction', 'acme/tiny', { dtype: 'q8', cache_dir: folder }), { code: 'not_found' });
  const app = mkdtempSync(join(all, 'app-'));
  cpSync(source, join(app, 'node_modules/@huggingface/transformers/.cache/acme/tiny'), { recursive: true });
  writeFileSync(join(app, 'main.mjs'), `import { Embedder } from ${lib('index.mjs')};
    console.log((await Embedder.create('acme/tiny', { folder: ${JSON.stringify(folder)} })).dimensions);`);
  assert.equal(execFileSync(process.execPath, [join(app, 'main.mjs')], { cwd: all, encoding: 'utf8' }), `${DIMENSIONS}\n`);
});

test('the pipeline reports a download as transformers.js does', async () => {
  const events = [];
  const folder = use(slow);
  const options = { dtype: 'q8', cache_dir: folder, download: true, progress_callback: (event) => events.push(event) };
  await pipeline('feature-extraction', REPOSITORY, options);
  const file = 'onnx/model_quantized.onnx';
  const status = ({ status }) => status;
  assert.deepEqual(events.slice(0, 2), ['initiate', 'download'].map((status) => ({ status, name: REPOSITORY, file })));
  assert.deepEqual(events.slice(-2).map(status), ['done', 'ready']);
  const progress = events.filter(({ status }) => status === 'progress');
  assert.ok(progress.length > 3);
  for (const { loaded, total, ...event } of progress) {
    assert.deepEqual(event, { status: 'progress', name: REPOSITORY, file, progress: 100 * loaded / total });
  }
  assert.equal(progress.at(-1).progress, 100);
});

test('a path and a mock are never looked for on the hub', async () => {
  const folder = use(hub);
  const before = hub.requests.length;
  await assert.rejects(Embedder.create('/nowhere/x.safetensors', { folder, download: true }), { code: 'not_found' });
  await Embedder.create(REPOSITORY, { folder, download: true, backend: 'mock' });
  assert.equal(hub.requests.length, before);
});

test('failures are ThimbleErrors', async () => {
  const folder = use(hub);
  await assert.rejects(pull('nobody/nothing', { folder }), { name: 'ThimbleError', code: 'io', message: /HF_TOKEN/ });
  await assert.rejects(pull(REPOSITORY, { folder, revision: 'x' }), { code: 'not_found', message: /revision "x"/ });
  await assert.rejects(pull('no organisation', { folder }), { code: 'invalid_argument' });
  await assert.rejects(pull('', { folder }), { code: 'invalid_argument' });
  await assert.rejects(pull(REPOSITORY, { folder, dtype: 'q5' }), { code: 'invalid_argument', message: /^dtype/ });
  await assert.rejects(pull(REPOSITORY, { folder, onProgress: 5 }), { code: 'invalid_argument', message: /^onProgress/ });
  await assert.rejects(pull(REPOSITORY, { folder, revison: 'x' }), { message: /unknown option revison/ });
  await assert.rejects(Embedder.create(REPOSITORY, { folder, download: 'yes' }), { message: /^download: expected a boolean/ });
  assert.deepEqual(readdirSync(folder), []);
});

test('workers and processes end while they pull', async () => {
  const folder = use(slow);
  const text = `import { pull } from ${lib('index.mjs')}; `;
  const options = JSON.stringify({ folder });
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text +
    `import { parentPort } from 'node:worker_threads';
     pull('test/tiny', { ...${options}, onProgress: ({ bytes }) => bytes > 0 && parentPort.postMessage(bytes) });`)}`));
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  await worker.terminate();
  const begin = Date.now();
  const { code, err } = await runModule(`${text}
    await new Promise((resolve) => pull('test/tiny', { ...${options}, onProgress: ({ bytes }) => bytes > 0 && resolve() }));
    process.exit(3);`, { environment: { HF_ENDPOINT: slow.url } });
  assert.deepEqual([code, err], [3, '']);
  assert.ok(Date.now() - begin < 5000);
});

test('known models have what is needed to choose one, and those that do not run are refused', async () => {
  const models = knownModels();
  assert.equal(models.length, 60);
  const one = models.find(({ repository }) => repository === 'BAAI/bge-small-en-v1.5');
  assert.deepEqual({ ...one, bytesQ8: 0, bytesQ4: 0 }, {
    repository: 'BAAI/bge-small-en-v1.5', copies: ['Xenova/bge-small-en-v1.5', 'onnx-community/bge-small-en-v1.5-ONNX'],
    family: 'bert', supported: true, missing: '', kind: 'embedding', language: 'en', dimensions: 384, maxTokens: 512,
    pooling: 'cls', normalize: true, prompts: { query: 'Represent this sentence for searching relevant passages: ' },
    bytesQ8: 0, bytesQ4: 0, licence: 'mit', mtebEnglish: { mean: 64.3, tasks: 41, retrieval: 53.9 },
    mtebMultilingual: { mean: 44.01, tasks: 130, retrieval: 36.3 },
  });
  assert.ok(one.bytesQ8 > 33e6 && one.bytesQ8 < 36e6 && one.bytesQ4 < one.bytesQ8);
  const folder = use({ url: NOWHERE });
  await assert.rejects(pull('Qwen/Qwen3-Embedding-0.6B', { folder }), { code: 'unsupported', message: /causal attention/ });
});
