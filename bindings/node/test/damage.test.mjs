// Damaged model files, and files that change while they are open.

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Embedder, ModelPool, pull } from '../lib/index.mjs';
import { modelFolder } from './support.mjs';

const folder = modelFolder();
let count = 0;

// A model file of its own, whose contents `change` may alter.
function model(change = (data) => data, dtype = 'q8') {
  const path = join(folder, `damage-${++count}.safetensors`);
  writeFileSync(path, change(readFileSync(join(folder, `small-${dtype}.safetensors`))));
  return path;
}

function dataBegin(data) {
  return 8 + Number(data.readBigUInt64LE(0));
}

const flip = (data) => {
  data[dataBegin(data) + 5000] ^= 1;
  return data;
};

const corrupt = (message) => (error) => error.code === 'corrupt' && message.test(error.message) || assert.fail(error);

test('a vector that is not finite is an error that names the text', async () => {
  const path = model((data) => {
    const { 'embeddings.words.scale': scale } = JSON.parse(data.subarray(8, dataBegin(data)));
    data.writeUInt16LE(0x7e00, dataBegin(data) + scale.data_offsets[0] + 2 * 2);
    return data;
  });
  const embedder = await Embedder.create(path);
  const damaged = corrupt(/^texts\[0\]: the vector has values that are not finite: .*thimble verify /);
  await assert.rejects(embedder.embed(['hello', 'world']), damaged);
  await assert.rejects(embedder.embed('hello', { normalize: false, pooling: 'cls' }), damaged);
  assert.throws(() => embedder.embedSync('hello'), damaged);
  await assert.rejects(embedder.embedTokens('hello'), corrupt(/^text: .*not finite/));
});

test('verify refuses a flipped bit', async () => {
  const good = model(), bad = model(flip);
  for (const load of ['map', 'copy', undefined]) {
    await (await Embedder.create(good, { verify: true, load })).embed('hello');
    await assert.rejects(Embedder.create(bad, { verify: true, load }), corrupt(/do not match the recorded hash/));
  }
  await (await Embedder.create(bad)).embed('hello');
  const pool = new ModelPool({ verify: true });
  await assert.rejects(pool.getModel(bad), corrupt(/do not match the recorded hash/));
  await pool.dispose();
  const older = model((data) => Buffer.from(data.toString('latin1').replace('weights.sha256', 'weights_sha256'), 'latin1'));
  await assert.rejects(Embedder.create(older, { verify: true }),
    (error) => error.code === 'unsupported' && /leave out verify$/.test(error.message));
});

test('load and verify are checked, and mocks ignore them', async () => {
  await assert.rejects(Embedder.create(model(), { load: 'mmap' }), /^ThimbleError: load: expected map, copy, found "mmap"/);
  await assert.rejects(Embedder.create(model(), { verify: 1 }), /^ThimbleError: verify: expected a boolean, found 1/);
  await (await Embedder.create('mock', { load: 'copy', verify: true })).embed('hello');
  await assert.rejects(Embedder.create('x', { backend: 'ollama:x', verify: true }),
    (error) => error.code === 'unsupported' && /^verify true: only the native backend/.test(error.message));
});

test('a model that changes is loaded again', async () => {
  for (const load of ['map', 'copy']) {
    for (const change of [(from, to) => copyFileSync(from, to), renameSync]) {
      const path = model();
      const pool = new ModelPool({ load, unloadAfterMs: Infinity });
      const embedder = await pool.getModel(path);
      const before = await embedder.embed('hello');
      change(model(undefined, 'q4'), path);
      const after = await embedder.embed('hello');
      assert.notDeepEqual(after, before);
      assert.equal(pool.stats().loads, 2);
      assert.equal(pool.stats().models.length, 1);
      await pool.dispose();
      assert.deepEqual(after, await (await Embedder.create(path, { unloadAfterMs: 0 })).embed('hello'));
    }
  }
});

test('a copy counts as private memory', async () => {
  const path = model();
  const size = readFileSync(path).length;
  const pool = new ModelPool({ load: 'copy' });
  const plan = await pool.plan(path);
  assert.equal(plan.mappedBytes, 0);
  assert.ok(plan.fixedBytes > size);
  await pool.preload(path);
  assert.equal(pool.stats().models[0].mappedBytes, 0);
  assert.ok(pool.stats().models[0].privateBytes > size);
  await pool.dispose();
});

test('pull verifies what is there', async () => {
  const options = { folder: join(folder, 'cache'), name: 'acme/tiny' };
  const { path } = await pull(join(folder, 'source'), options);
  writeFileSync(path, flip(readFileSync(path)));
  await assert.rejects(pull(join(folder, 'source'), options), corrupt(/do not match the recorded hash.* with force$/));
  await pull(join(folder, 'source'), { ...options, force: true });
  await pull(join(folder, 'source'), options);
});
