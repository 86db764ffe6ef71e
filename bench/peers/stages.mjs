// One task of the comparison in Node.js, in a process of its own: node --expose-gc stages.mjs TASK PEER DTYPE
//
// memory: import, load, 64 texts of 250 words in one call, one more short text, dispose; after each the process writes a
// line with the stage's name and goes on when it reads one. functions: 60 of them made in a row, one text each, all kept.
// speed: figures as a line of JSON. once: one short text and the end.

import { createInterface } from 'node:readline';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { load, open } from './peers.mjs';

const [task, peer, dtype] = process.argv.slice(2);
const WORDS = ['river', 'of', 'small', 'memory', 'window', 'in', 'winter', 'to', 'answer', 'letter', 'garden', 'blue'];
const text = (i, count) => Array.from({ length: count }, (_, j) => WORDS[(i * 7 + j * j) % WORDS.length]).join(' ');
const LONG = Array.from({ length: 64 }, (_, i) => text(i, 250));
const SHORT = Array.from({ length: 64 }, (_, i) => text(i, 3 + i % 13));

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function stage(name) {
  for (let i = 0; i < 5; ++i) {
    globalThis.gc();
    await new Promise((done) => setTimeout(done, 100));
  }
  process.stdout.write(`${name}\n`);
  await lines.next();
}

async function seconds(work) {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

const tasks = {
  async memory() {
    await stage('node');
    if (peer !== 'bare') {
      await load(peer);
      await stage('import');
      let model = await open(peer, dtype);
      await stage('load');
      await model.embed(LONG);
      await stage('batch');
      await model.embed([SHORT[0]]);
      await stage('short');
      await model.close();
      model = null;
      await stage('dispose');
    }
  },
  async functions() {
    await stage('node');
    const kept = [];
    for (let i = 0; i < 60; ++i) {
      const model = await open(peer, dtype);
      await model.embed([SHORT[i]]);
      kept.push(model);
    }
    await stage('functions');
    return kept;
  },
  async speed() {
    const model = await open(peer, dtype);
    await model.embed(LONG.slice(0, 8));
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    const long = await seconds(() => model.embed(LONG));
    await new Promise((done) => setTimeout(done, 5));  // What was held up is counted when the loop runs again.
    histogram.disable();
    const short = await seconds(async () => {
      for (let i = 0; i < 16; ++i) await model.embed(SHORT);
    });
    const latencies = [];
    for (let i = 0; i < 200; ++i) latencies.push(await seconds(() => model.embed([SHORT[i % SHORT.length]])));
    latencies.sort((a, b) => a - b);
    console.log(JSON.stringify({
      long_texts_per_s: LONG.length / long,
      short_texts_per_s: 16 * SHORT.length / short,
      latency_ms: latencies[100] * 1e3,
      loop_p99_ms: histogram.percentile(99) / 1e6,
      loop_max_ms: histogram.max / 1e6,
    }));
  },
  async once() {
    if (peer !== 'bare') await (await open(peer, dtype)).embed([SHORT[0]]);
  },
};
await tasks[task]();
process.exit(0);
