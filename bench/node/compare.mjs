// Compares the stacks that embed in Node.js, each in processes of its own, and writes the figures as JSON:
// node compare.mjs PEERS PACKAGE MODELS, with the folders of bench/peers/fetch.sh, of the installed package and of its models.
// Bytes are those of /proc/PID/smaps_rollup.

import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [peers, thimblePackage, models] = process.argv.slice(2);
const STACKS = [
  ['transformers.js', 'fp32'], ['transformers.js', 'q8'], ['onnxruntime-node', 'fp32'], ['onnxruntime-node', 'q8'],
  ['thimble', 'fp32'], ['thimble', 'fp16'], ['thimble', 'q8'], ['thimble', 'q4'],
];
const STARTS = 7;
const SAMPLE_MS = 5;

const environment = { ...process.env, THIMBLE_PACKAGE: thimblePackage, THIMBLE_HOME: models, NODE_OPTIONS: '' };
const stageArguments = (task, peer, dtype) => ['--expose-gc', join(peers, 'stages.mjs'), task, peer, dtype];

function figures(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const bytes = (name) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)[1]) * 1024;
  return { rss: bytes('Rss'), private: bytes('Anonymous'), pss: bytes('Pss') };
}

// {stage: figures, ..., peak}, or {error} when the process fails.
async function runStages(task, peer, dtype) {
  const child = spawn(process.execPath, stageArguments(task, peer, dtype), { env: environment });
  let errors = '';
  child.stderr.on('data', (data) => (errors += data));
  const closed = new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
  const result = {};
  const peak = { rss: 0, private: 0, pss: 0 };
  const sampler = setInterval(() => {
    try {
      for (const [name, bytes] of Object.entries(figures(child.pid))) peak[name] = Math.max(peak[name], bytes);
    } catch {
      // It has just ended.
    }
  }, SAMPLE_MS);
  for await (const name of createInterface({ input: child.stdout })) {
    result[name] = figures(child.pid);
    child.stdin.write('\n');
  }
  const end = await closed;
  clearInterval(sampler);
  if (end !== 0) return { error: `ended with ${end}: ${errors.trim().split('\n').at(-1)}` };
  return { ...result, peak };
}

const run = (...args) => execFileSync(process.execPath, stageArguments(...args), { env: environment, encoding: 'utf8' });

function coldStart(peer, dtype) {
  const times = Array.from({ length: STARTS }, () => {
    const start = performance.now();
    run('once', peer, dtype);
    return performance.now() - start;
  });
  return times.sort((a, b) => a - b)[(STARTS - 1) / 2];
}

const folderBytes = (...folders) => execFileSync('du', ['-scb', ...folders], { encoding: 'utf8' })
  .trim().split('\n').reduce((sum, line) => (line.endsWith('\ttotal') ? Number(line.split('\t')[0]) : sum), 0);
const installed = {
  'transformers.js': folderBytes(join(peers, 'node_modules')),
  'onnxruntime-node': folderBytes(...['onnxruntime-node', 'onnxruntime-common'].map((name) => join(peers, 'node_modules', name))),
  thimble: folderBytes(thimblePackage, join(thimblePackage, '..', '@thimble')),
};

const bare = await runStages('memory', 'bare', '');
const rows = [];
for (const [peer, dtype] of STACKS) {
  process.stderr.write(`${peer} ${dtype}\n`);
  const memory = await runStages('memory', peer, dtype);
  // The others take a session's memory 60 times: in fp32 that is more than many machines have.
  const functions = peer === 'thimble' || dtype === 'q8' ? await runStages('functions', peer, dtype) : null;
  rows.push({
    peer, dtype, memory, functions, ...JSON.parse(run('speed', peer, dtype)), cold_start_ms: coldStart(peer, dtype),
    install_bytes: installed[peer],
  });
}
console.log(JSON.stringify({ node: process.version, bare: bare.node, bare_start_ms: coldStart('bare', ''), rows }));
