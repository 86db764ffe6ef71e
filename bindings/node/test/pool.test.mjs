// ModelPool: one copy, idle unloading, plans, and the end.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { ModelPool, memory, plan } from '../lib/index.mjs';
import { DIMENSIONS, modelFolder } from './support.mjs';

const folder = modelFolder();

test('loads once however many ask, and shares', async () => {
  const pool = new ModelPool({ folder });
  const embedders = await Promise.all(Array.from({ length: 20 }, () => pool.getModel('small')));
  await Promise.all(embedders.map((embedder, i) => embedder.embed(`text ${i}`)));
  const stats = pool.stats();
  assert.equal(stats.loads, 1);
  assert.deepEqual(stats.models.map(({ name, dtype, leases }) => ({ name, dtype, leases })),
    [{ name: 'small', dtype: 'q8', leases: 0 }]);
  assert.ok(stats.models[0].uses >= 40 && stats.usedMemory > 0 && stats.usedMemory <= stats.maxMemory);
  await pool.dispose();
});

test('a file has its own dtype, and refuses another', async () => {
  const pool = new ModelPool();
  const file = join(folder, 'small-q8.safetensors');
  const wrong = { code: 'invalid_argument', message: /expected q8, which the file has, or none, found q4/ };
  await assert.rejects(pool.getModel(file, { dtype: 'q4' }), wrong);
  assert.equal((await pool.getModel(file, { dtype: 'q8' })).info.dtype, 'q8');
  assert.equal((await pool.getModel(file)).info.dtype, 'q8');
  await assert.rejects(pool.plan(file, { dtype: 'q4' }), wrong);
  await pool.dispose();
});

test('unloads when idle, and loads again', async () => {
  const pool = new ModelPool({ folder, unloadAfterMs: 30 });
  const embedder = await pool.getModel('small');
  const vector = await embedder.embed('a');
  for (let i = 0; i < 100 && pool.stats().models.length > 0; ++i) await sleep(10);
  assert.deepEqual(pool.stats().models, []);
  assert.equal(pool.stats().usedMemory, 0);
  assert.deepEqual(await embedder.embed('a'), vector);
  assert.equal(pool.stats().loads, 2);
  await pool.dispose();

  const eager = new ModelPool({ folder, unloadAfterMs: 0 });
  await (await eager.getModel('small')).embed('a');
  assert.deepEqual(eager.stats().models, []);
  const never = new ModelPool({ folder, unloadAfterMs: Infinity });
  await never.preload('small');
  await sleep(20);
  assert.equal(never.stats().models.length, 1);
  await Promise.all([eager.dispose(), never.dispose()]);
});

test('pins, unloads, and keeps to maxModels', async () => {
  const pool = new ModelPool({ folder, maxModels: 2, unloadAfterMs: Infinity });
  await pool.pin('small', { dtype: 'fp32' });
  await pool.preload('small', { dtype: 'q8' });
  await pool.preload('small', { dtype: 'q4' });
  assert.deepEqual(pool.stats().models.map((model) => model.dtype), ['fp32', 'q4']);
  pool.unpin('small', { dtype: 'fp32' });
  await pool.unload('small', { dtype: 'fp32' });
  assert.deepEqual(pool.stats().models.map((model) => model.dtype), ['q4']);
  await pool.dispose();
});

test('names what is no option', async () => {
  const pool = new ModelPool({ folder });
  for (const method of ['plan', 'preload', 'pin', 'unload']) {
    await assert.rejects(pool[method]('small', { dtpye: 'q4' }), /^ThimbleError: options: unknown option dtpye, expected dtype/);
  }
  assert.throws(() => pool.unpin('small', { dtpye: 'q4' }), /unknown option dtpye/);
  await pool.dispose();
});

test('dispose waits for calls, and later calls say so', async () => {
  const pool = new ModelPool({ folder });
  const embedder = await pool.getModel('small');
  const call = embedder.embed(Array(64).fill('several words of a text'));
  await pool.dispose();
  assert.equal((await call).length, 64);
  await pool.dispose();
  await assert.rejects(embedder.embed('a'), { code: 'invalid_argument', message: 'the pool has been disposed' });
  assert.throws(() => pool.stats(), /disposed/);
  if (Symbol.asyncDispose) assert.equal(pool[Symbol.asyncDispose], pool.dispose);
});

test('a budget is kept, or refused with what is needed', async () => {
  const { peakBytes, mappedBytes, fixedBytes, scratchBytesPerThread, threads } = await plan('small', { folder, threads: 2 });
  assert.equal(peakBytes, fixedBytes + threads * scratchBytesPerThread);
  assert.ok(mappedBytes > 100000 && threads === 2);
  await assert.rejects(new ModelPool({ folder, maxMemory: '10kB' }).getModel('small'),
    { code: 'out_of_memory', message: /needs \d+ bytes, but only 10000 are allowed; raise maxMemory/ });
  const alone = (await plan('small', { folder })).peakBytes;
  const pool = new ModelPool({ folder, maxMemory: alone });
  const embedder = await pool.getModel('small');
  const vectors = await Promise.all(Array.from({ length: 50 }, (_, i) => embedder.embed(`text ${i % 5}`)));
  assert.deepEqual(vectors[7], vectors[2]);
  assert.ok(pool.stats().peakMemory <= alone);
  assert.deepEqual(await pool.plan('small'), await plan('small', { folder, maxMemory: alone }));
  await pool.dispose();
});

test('memory() has the figures of the kernel', () => {
  const { rss, pss, private: own, peakRss } = memory();
  assert.ok(own > 1e6 && own < rss && pss <= rss && rss <= peakRss);
  assert.ok(Math.abs(rss - process.memoryUsage().rss) < 20e6);
});

test('a pool that nobody holds any more is collected', async () => {
  for (let i = 0; i < 100; ++i) {
    const pool = new ModelPool({ folder });
    assert.equal((await (await pool.getModel('small')).embed('a')).length, DIMENSIONS);
    await pool.dispose();
  }
});
