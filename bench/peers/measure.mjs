// A peer that embeds, in the stages of src/cli/staged_process.h: node measure.mjs PEER DTYPE [--once]
//
// PEER is transformers.js or onnxruntime-node, DTYPE q8 or fp32. The texts are the lines of the file that
// THIMBLE_MEMORY_TEXTS names: 64 long ones in one call, as users pass them, then the others in calls of 64. With --once it
// embeds one short text and ends.

import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [peer, dtype, once] = process.argv.slice(2);
const MODEL = 'Xenova/all-MiniLM-L6-v2';
const models = join(dirname(fileURLToPath(import.meta.url)), 'models');
const CALL = 64;

const lines = once ? null : createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function stage(name) {
  if (once) return;
  process.stdout.write(`stage ${name}\n`);
  await lines.next();
}
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function transformers() {
  const { env } = await import('@huggingface/transformers');
  env.allowRemoteModels = false;
  env.localModelPath = models;
  return import('@huggingface/transformers');
}

// Both give { embed(texts), close() }.
async function openTransformers() {
  const { pipeline } = await transformers();
  const extractor = await pipeline('feature-extraction', MODEL, {
    dtype, session_options: { intraOpNumThreads: 1, interOpNumThreads: 1 },
  });
  return {
    embed: async (texts) => (await extractor(texts, { pooling: 'mean', normalize: true })).data,
    close: () => extractor.dispose(),
  };
}

async function openOnnxruntime() {
  const { AutoTokenizer } = await transformers();
  const { default: ort } = await import('onnxruntime-node');
  const tokenizer = await AutoTokenizer.from_pretrained(MODEL);
  const file = join(models, MODEL, 'onnx', dtype === 'q8' ? 'model_quantized.onnx' : 'model.onnx');
  const session = await ort.InferenceSession.create(file, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  return {
    embed: async (texts) => {
      const inputs = await tokenizer(texts, { padding: true, truncation: true, max_length: 256 });
      const feeds = {};
      for (const name of session.inputNames) {
        feeds[name] = new ort.Tensor('int64', inputs[name].data, inputs[name].dims);
      }
      const { last_hidden_state: states } = await session.run(feeds);
      const [count, length, width] = states.dims;
      const vectors = new Float32Array(count * width);
      for (let i = 0; i < count; ++i) {
        let tokens = 0;
        for (let t = 0; t < length; ++t) {
          if (inputs.attention_mask.data[i * length + t] === 0n) continue;
          ++tokens;
          for (let d = 0; d < width; ++d) vectors[i * width + d] += states.data[(i * length + t) * width + d];
        }
        const vector = vectors.subarray(i * width, (i + 1) * width);
        const norm = Math.hypot(...vector);
        for (let d = 0; d < width; ++d) vector[d] /= norm;
      }
      return vectors;
    },
    close: () => session.release(),
  };
}

const open = { 'transformers.js': openTransformers, 'onnxruntime-node': openOnnxruntime }[peer];
if (!open || !['q8', 'fp32'].includes(dtype)) {
  throw new Error(`expected transformers.js or onnxruntime-node, and q8 or fp32; found ${peer} ${dtype}`);
}
await stage('start');
let model = await open();
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
