// Token ids to vectors with llama.cpp: node llama_vectors.mjs MODEL.gguf IDS.jsonl VECTORS.f32 THREADS
//
// A line of IDS is what thimble tokenize prints. One text at a time: the package offers no batches of embeddings.

import { readFileSync, writeFileSync } from 'node:fs';
import { getLlama } from 'node-llama-cpp';

const [model_path, ids_path, vectors_path, threads] = process.argv.slice(2);
const texts = readFileSync(ids_path, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line).ids);

const llama = await getLlama({ gpu: false, build: 'never', maxThreads: Number(threads), logLevel: 'error' });
const model = await llama.loadModel({ modelPath: model_path });
const context = await model.createEmbeddingContext({ contextSize: 520, batchSize: 520, threads: Number(threads) });
const vectors = [];
for (const [i, ids] of texts.entries()) {
  vectors.push(Float32Array.from((await context.getEmbeddingFor(ids)).vector));
  if ((i + 1) % 500 === 0) console.error(`${i + 1} of ${texts.length} texts`);
}
writeFileSync(vectors_path, Buffer.concat(vectors.map((vector) => new Uint8Array(vector.buffer))));
process.exit(0);
