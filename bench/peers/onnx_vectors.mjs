// Token ids to vectors with onnxruntime-node: node onnx_vectors.mjs MODEL.onnx IDS.jsonl VECTORS.f32 THREADS BATCH POOLING
//
// A line of IDS is what thimble tokenize prints. BATCH texts go in one run, in their order, padded to the longest, as
// transformers.js does it.

import { readFileSync, writeFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import { pool } from './pooling.mjs';

const [model_path, ids_path, vectors_path, threads, batch, pooling] = process.argv.slice(2);
const texts = readFileSync(ids_path, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line).ids);

const session = await ort.InferenceSession.create(model_path, { intraOpNumThreads: Number(threads), interOpNumThreads: 1 });
const vectors = [];
for (let begin = 0; begin < texts.length; begin += Number(batch)) {
  const rows = texts.slice(begin, begin + Number(batch));
  const length = Math.max(...rows.map((ids) => ids.length));
  const inputs = { input_ids: [], attention_mask: [], token_type_ids: [] };
  for (const ids of rows) {
    for (let t = 0; t < length; ++t) {
      inputs.input_ids.push(BigInt(ids[t] ?? 0));
      inputs.attention_mask.push(t < ids.length ? 1n : 0n);
      inputs.token_type_ids.push(0n);
    }
  }
  const feeds = {};
  for (const name of session.inputNames) {
    feeds[name] = new ort.Tensor('int64', BigInt64Array.from(inputs[name]), [rows.length, length]);
  }
  const { last_hidden_state: states } = await session.run(feeds);
  vectors.push(pool(states, inputs.attention_mask, pooling));
}
writeFileSync(vectors_path, Buffer.concat(vectors.map((part) => new Uint8Array(part.buffer))));
