// A server around a Node.js library, as one would write it: node peer_server.mjs PEER DTYPE THREADS PORT
//
// PEER and DTYPE are those of peers.mjs, beside which this file must lie. Answers POST of OpenAI's {"input": text or
// texts} with base64. Requests that wait go together: those that waited longest, texts of like length in one call.

import { createServer } from 'node:http';
import { open } from './peers.mjs';

const [name, dtype, threads, port] = process.argv.slice(2);
// Of texts: taken at a time, and embedded in one call. Padding costs more than larger calls gain.
const TAKEN = 32;
const CALL = 8;

// llama.cpp takes one text at a time here, so each thread has a context of its own. The others have one model, whose calls
// use all threads.
const lone = name === 'llama.cpp';
const models = await Promise.all(Array.from({ length: lone ? Number(threads) : 1 },
  () => open(name, dtype, lone ? 1 : Number(threads))));

const waiting = [];
const idle = [...models];

async function embedBatch(model, batch) {
  try {
    const data = await model.embed(batch.map((entry) => entry.text));
    const width = data.length / batch.length;
    batch.forEach((entry, i) => entry.resolve(data.slice(i * width, (i + 1) * width)));
  } catch (error) {
    for (const entry of batch) entry.reject(error);
  }
}

async function work() {
  if (idle.length === 0 || waiting.length === 0) return;
  const model = idle.pop();
  while (waiting.length > 0) {
    const taken = waiting.splice(0, lone ? 1 : TAKEN).sort((a, b) => a.text.length - b.text.length);
    for (let i = 0; i < taken.length; i += CALL) await embedBatch(model, taken.slice(i, i + CALL));
  }
  idle.push(model);
}

function embed(text) {
  return new Promise((resolve, reject) => {
    waiting.push({ text, resolve, reject });
    // After what else arrived meanwhile.
    setImmediate(work);
  });
}

const base64 = (vector) => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');

async function answer(body) {
  const { input, model } = JSON.parse(body);
  const vectors = await Promise.all([input].flat().map(embed));
  const data = vectors.map((vector, index) => ({ object: 'embedding', index, embedding: base64(vector) }));
  return JSON.stringify({ object: 'list', data, model });
}

createServer(async (request, response) => {
  let [status, text] = [200, ''];
  try {
    const parts = [];
    for await (const part of request) parts.push(part);
    text = await answer(Buffer.concat(parts).toString());
  } catch (error) {
    [status, text] = [500, JSON.stringify({ error: { message: String(error) } })];
  }
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}).listen(Number(port), '127.0.0.1');
