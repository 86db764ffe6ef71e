// A peer that embeds, in the stages of bench/memory/peers.py: node measure.mjs PEER DTYPE [--once]
//
// PEER is one of peers.mjs, DTYPE q8 or fp32. The texts are the lines of the file that THIMBLE_MEMORY_TEXTS names: 64 long
// ones in one call, as users pass them, then the others in calls of 64. With --once it embeds one short text and ends.

import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { open } from './peers.mjs';

const [peer, dtype, once] = process.argv.slice(2);
const CALL = 64;

const lines = once ? null : createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function stage(name) {
  if (once) return;
  process.stdout.write(`stage ${name}\n`);
  await lines.next();
}
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

await stage('start');
let model = await open(peer, dtype);
if (once) {
  await model.embed(['a short text']);
} else {
  await stage('loaded');
  const texts = readFileSync(process.env.THIMBLE_MEMORY_TEXTS, 'utf8').trimEnd().split('\n');
  for (let i = 0; i < texts.length; i += CALL) await model.embed(texts.slice(i, i + CALL));
  await stage('embedded');
  globalThis.gc?.();
  await sleep(2000);
  await stage('idle');
  await model.close();
  model = null;
  globalThis.gc?.();
  await sleep(1000);
  await stage('unloaded');
}
process.exit(0);
