// Ways in which worker threads load the installed package and go: scenarios.mjs NAME. The process has to end with 0 and
// print "NAME: done". THIMBLE_MODEL is the path of a model. The main thread never loads the addon.

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const worker = () => {
  const started = new Worker(new URL('worker.cjs', import.meta.url));
  started.failed = new Promise((_, reject) => started.once('error', reject));
  started.failed.catch(() => {});
  return started;
};
const message = (from) => Promise.race([new Promise((resolve) => from.once('message', resolve)), from.failed]);

const scenarios = {
  // Workers that embed once, and end by themselves.
  async alone() {
    for (let i = 0; i < 3; ++i) {
      const one = worker();
      const ended = new Promise((resolve) => one.once('exit', resolve));
      one.postMessage('once');
      if (await message(one) < 1) throw new Error('no vector');
      if (await ended !== 0) throw new Error('the worker failed');
    }
  },
  async after200ms() {
    const one = worker();
    one.postMessage('forever');
    await sleep(200);
    await one.terminate();
  },
  async random() {
    await Promise.all(Array.from({ length: 6 }, async () => {
      const one = worker();
      one.postMessage('forever');
      await sleep(150 * Math.random());
      await one.terminate();
    }));
  },
  // Calls that were answered, and a pool that ends with calls at work.
  async piscina() {
    const { Piscina } = await import('piscina');
    const pool = new Piscina({ filename: fileURLToPath(new URL('task.cjs', import.meta.url)), maxThreads: 2 });
    const lengths = await Promise.all(Array.from({ length: 8 }, (_, i) => pool.run(`text ${i}`)));
    if (!lengths.every((length) => length > 0)) throw new Error('no vector');
    const running = Array.from({ length: 4 }, () => pool.run('a long text '.repeat(200)).catch(() => {}));
    await pool.destroy();
    await Promise.all(running);
  },
};

const [name] = process.argv.slice(2);
await scenarios[name]();
console.log(`${name}: done`);
