// Token ids to vectors with llama.cpp: node llama_vectors.mjs MODEL.gguf IDS.jsonl VECTORS.f32
//
// A line of IDS is what thimble tokenize prints. One text at a time: the package offers no batches of embeddings. One
// thread, because several wait for each other in loops, and hardly get on where something else runs.

import { readFileSync, writeFileSync } from 'node:fs';
import { getLlama } from 'node-llama-cpp';

const [model_path, ids_path, vectors_path] = process.argv.slice(2);
const texts = readFileSync(ids_path, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line).ids);

const llama = await getLlama({ gpu: false, build: 'never', maxThreads: 1, logLevel: 'error' });
const model = await llama.loadModel({ modelPath: model_path });
const context = await model.createEmbeddingContext({ contextSize: 520, batchSize: 520, threads: 1 });
const vectors = [];
for (const ids of texts) vectors.push(Float32Array.from((await context.getEmbeddingFor(ids)).vector));
writeFileSync(vectors_path, Buffer.concat(vectors.map((vector) => new Uint8Array(vector.buffer))));
process.exit(0);
