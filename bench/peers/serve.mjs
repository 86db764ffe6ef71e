// A peer under Node.js, as a process of its own: node serve.mjs PEER DTYPE THREADS. What it answers is in serve.py.

import { createInterface } from 'node:readline';
import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from './peers.mjs';

const PACKAGES = {
  'transformers.js': '@huggingface/transformers',
  'onnxruntime-node': 'onnxruntime-node',
  'llama.cpp': 'node-llama-cpp',
};

const [name, dtype, threads] = process.argv.slice(2);
const STDOUT = 1;

// Standard output may be a pipe that takes a part at a time.
function answer(value) {
  let line = Buffer.from(`${JSON.stringify(value)}\n`);
  while (line.length > 0) {
    try {
      line = line.subarray(writeSync(STDOUT, line));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function version() {
  const folder = join(dirname(fileURLToPath(import.meta.url)), 'node_modules', PACKAGES[name]);
  return `${PACKAGES[name]} ${JSON.parse(readFileSync(join(folder, 'package.json'))).version}`;
}

async function timed(call, { warm, least, seconds }) {
  for (let i = 0; i < warm; ++i) await call();
  const ms = [];
  const begin = performance.now();
  while (ms.length < least || performance.now() - begin < seconds * 1e3) {
    const start = performance.now();
    await call();
    ms.push(performance.now() - start);
  }
  return { ms };
}

async function embedAll(peer, { texts, batch, file }) {
  const vectors = [];
  const start = performance.now();
  for (let i = 0; i < texts.length; i += batch) vectors.push(await peer.embed(texts.slice(i, i + batch)));
  const seconds = (performance.now() - start) / 1e3;
  writeFileSync(file, Buffer.concat(vectors.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength))));
  return { seconds };
}

async function serve(peer, request) {
  if (request.do === 'embed') return embedAll(peer, request);
  if (request.do !== 'time') throw new Error(`do: expected time or embed, found ${request.do}`);
  return timed(() => request.ids ? peer.embedIds(request.ids) : peer.embed(request.texts), request);
}

let peer;
try {
  peer = await open(name, dtype, Number(threads));
} catch (error) {
  answer({ error: String(error) });
  throw error;
}
answer({ version: version(), ids: 'embedIds' in peer, batches: name !== 'llama.cpp' });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    answer(await serve(peer, JSON.parse(line)));
  } catch (error) {
    answer({ error: String(error) });
  }
}
process.exit(0);
