// The memory of node with thimble over that of bare node, in the kernel's figures: private megabytes, real model.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { lib, needRealModel, realModels } from './support.mjs';

const skip = needRealModel();
const MB = 1e6;

// Private bytes of a process.
function privateBytes(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Anonymous: +(\d+)/m.exec(rollup)[1]) * 1024;
}

// Runs a module that calls `await stage(name)`. Resolves to the private bytes at each stage, settled, and the most in
// between, sampled about once a millisecond.
function measure(text) {
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '--eval', `
    import { createInterface } from 'node:readline';
    const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    async function stage(name) {
      for (let i = 0; i < 4; ++i) { gc(); await new Promise((resolve) => setTimeout(resolve, 50)); }
      process.stdout.write(name + '\\n');
      await lines.next();
    }
    const LONG = Array.from({ length: 64 }, (_, i) => Array.from({ length: 250 }, (_, j) =>
      ['river', 'memory', 'garden', 'winter', 'letter', 'music'][(i + j * j) % 6]).join(' '));
    const folder = ${JSON.stringify(realModels)};
    await stage('bare');
    ${text}
    process.exit(0);`], { stdio: ['pipe', 'pipe', 'inherit'] });
  const stages = { peak: 0 };
  const sampler = setInterval(() => {
    try {
      stages.peak = Math.max(stages.peak, privateBytes(child.pid));
    } catch {
      // It has just ended.
    }
  }, 1);
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (names) => {
    for (const name of names.trim().split('\n')) {
      stages[name] = privateBytes(child.pid);
      if (name === 'bare') stages.peak = 0;
      child.stdin.write('\n');
    }
  });
  return new Promise((resolve, reject) => child.on('close', (code) => {
    clearInterval(sampler);
    if (code !== 0) return reject(new Error(`exit code ${code}`));
    for (const name of Object.keys(stages)) if (name !== 'bare') stages[name] = (stages[name] - stages.bare) / MB;
    resolve(stages);
  }));
}

function expectAtMost(stages, bounds) {
  for (const [name, most] of Object.entries(bounds)) {
    assert.ok(stages[name] <= most, `${name}: ${stages[name].toFixed(1)} MB over bare node, at most ${most} allowed; ` +
      JSON.stringify(stages));
    assert.ok(stages[name] > -5, `${name}: ${stages[name]} is no measurement`);
  }
}

for (const dtype of ['q8', 'q4', 'fp32']) {
  test(`${dtype}: loaded, after a large batch, unloaded`, { skip }, async (context) => {
    const stages = await measure(`
      const { Embedder } = await import(${lib('index.mjs')});
      const embedder = await Embedder.create('all-MiniLM-L6-v2', { folder, dtype: '${dtype}' });
      await stage('loaded');
      await embedder.embed(LONG);
      await stage('batch');
      await embedder.embed('one more short text');
      await stage('short');
      await embedder.unload();
      await stage('unloaded');`);
    context.diagnostic(JSON.stringify(stages));
    expectAtMost(stages, { loaded: 8, batch: 10, short: 10, unloaded: 2, peak: 16 });
  });
}

test('four workers share', { skip }, async (context) => {
  // Workers of their own cost node a heap each: what counts is what thimble adds to four that do nothing.
  const workers = (text) => measure(`
    import { Worker } from 'node:worker_threads';
    import { fileURLToPath } from 'node:url';
    const workers = [];
    for (let i = 0; i < 4; ++i) {
      const worker = new Worker(${JSON.stringify(text)}, { eval: true, execArgv: [], workerData: { folder, LONG,
        path: fileURLToPath(${lib('index.js')}) } });
      await new Promise((resolve, reject) => { worker.once('message', resolve); worker.once('error', reject); });
      workers.push(worker);
    }
    await stage('workers');`);
  const idle = await workers(`
    const { parentPort } = require('node:worker_threads');
    parentPort.on('message', () => {});
    parentPort.postMessage('ready');`);
  const embedding = await workers(`
    const { parentPort, workerData: { path, folder, LONG } } = require('node:worker_threads');
    const { Embedder } = require(path);
    parentPort.on('message', () => {});
    Embedder.create('all-MiniLM-L6-v2', { folder }).then(async (embedder) => {
      globalThis.embedder = embedder;
      await embedder.embed(LONG);
      parentPort.postMessage('ready');
    });`);
  context.diagnostic(JSON.stringify({ idle, embedding }));
  const bytes = embedding.workers - idle.workers;
  assert.ok(bytes <= 20, `four workers: ${bytes.toFixed(1)} MB over four that do nothing`);
});

test('60 embedding functions in a row, one text each', { skip }, async (context) => {
  const stages = await measure(`
    const { createEmbeddingFunction } = await import(${lib('index.mjs')});
    const functions = [];
    for (let i = 0; i < 60; ++i) {
      const embed = createEmbeddingFunction({ modelName: 'Xenova/all-MiniLM-L6-v2', folder });
      if ((await embed('text number ' + i)).length !== 384) throw new Error('no vector');
      functions.push(embed);
    }
    await stage('functions');`);
  context.diagnostic(JSON.stringify(stages));
  expectAtMost(stages, { functions: 12, peak: 12 });
});
