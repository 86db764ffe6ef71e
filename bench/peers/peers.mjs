// The peers, with one face: open(peer, dtype, threads) resolves to { embed(texts), close() }, load(peer) loads its code
// alone.
//
// PEER is transformers.js, onnxruntime-node, llama.cpp (whose dtype is a file), or thimble. All of them take one thread if
// not told otherwise, the model's mean pooling and unit length, and 256 tokens at most. Some have embedIds(rows) as well, of
// rows of token ids of equal length.

import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { pool } from './pooling.mjs';

const MODEL = 'Xenova/all-MiniLM-L6-v2';
const models = join(dirname(fileURLToPath(import.meta.url)), 'models');
const MAX_TOKENS = 256;
const sessionOptions = (threads) => ({ intraOpNumThreads: threads, interOpNumThreads: 1 });

async function importTransformers() {
  const transformers = await import('@huggingface/transformers');
  transformers.env.allowRemoteModels = false;
  transformers.env.localModelPath = models;
  return transformers;
}

async function openTransformers(dtype, threads) {
  const { pipeline } = await importTransformers();
  const extractor = await pipeline('feature-extraction', MODEL, { dtype, session_options: sessionOptions(threads) });
  return {
    embed: async (texts) => (await extractor(texts, { pooling: 'mean', normalize: true })).data,
    close: () => extractor.dispose(),
  };
}

async function importOnnxruntime() {
  return { ...await importTransformers(), ort: (await import('onnxruntime-node')).default };
}

async function openOnnxruntime(dtype, threads) {
  const { AutoTokenizer, ort } = await importOnnxruntime();
  const tokenizer = await AutoTokenizer.from_pretrained(MODEL);
  const file = join(models, MODEL, 'onnx', dtype === 'q8' ? 'model_quantized.onnx' : 'model.onnx');
  const session = await ort.InferenceSession.create(file, sessionOptions(threads));
  async function run(inputs, dims) {
    const feeds = {};
    for (const name of session.inputNames) feeds[name] = new ort.Tensor('int64', inputs[name], dims);
    const { last_hidden_state: states } = await session.run(feeds);
    return pool(states, inputs.attention_mask, 'mean');
  }
  return {
    embed: async (texts) => {
      const inputs = await tokenizer(texts, { padding: true, truncation: true, max_length: MAX_TOKENS });
      const data = Object.fromEntries(session.inputNames.map((name) => [name, inputs[name].data]));
      return run(data, inputs.input_ids.dims);
    },
    embedIds: (rows) => {
      const ids = BigInt64Array.from(rows.flat(), BigInt);
      const data = { input_ids: ids, attention_mask: ids.map(() => 1n), token_type_ids: ids.map(() => 0n) };
      return run(data, [rows.length, rows[0].length]);
    },
    close: () => session.release(),
  };
}

const importLlama = () => import('node-llama-cpp');

async function openLlama(file, threads) {
  const { getLlama } = await importLlama();
  const llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads, logLevel: 'error' });
  const model = await llama.loadModel({ modelPath: file });
  const options = { contextSize: MAX_TOKENS + 8, batchSize: MAX_TOKENS + 8, threads };
  const context = await model.createEmbeddingContext(options);
  // Special tokens are put around what lacks them. There is no call for several texts.
  async function embedIds(rows) {
    const vectors = [];
    for (const ids of rows) vectors.push(...(await context.getEmbeddingFor(ids)).vector);
    return Float32Array.from(vectors);
  }
  return {
    embed: (texts) => embedIds(texts.map((text) => model.tokenize(text).slice(0, MAX_TOKENS - 2))),
    embedIds,
    close: () => llama.dispose(),
  };
}

// THIMBLE_PACKAGE is the folder of the Node.js package, THIMBLE_HOME that of its models.
const importThimble = () => import(pathToFileURL(join(process.env.THIMBLE_PACKAGE, 'lib', 'index.mjs')).href);

async function openThimble(dtype, threads) {
  const { Embedder } = await importThimble();
  const embedder = await Embedder.create(MODEL, { dtype, threads });
  return { embed: (texts) => embedder.embed(texts), close: () => embedder.unload() };
}

const PEERS = {
  'transformers.js': { load: importTransformers, open: openTransformers },
  'onnxruntime-node': { load: importOnnxruntime, open: openOnnxruntime },
  'llama.cpp': { load: importLlama, open: openLlama },
  thimble: { load: importThimble, open: openThimble },
};

function find(peer) {
  if (!(peer in PEERS)) throw new Error(`expected ${Object.keys(PEERS).join(', ')}; found ${peer}`);
  return PEERS[peer];
}

export const load = (peer) => find(peer).load();
export const open = (peer, dtype, threads = 1) => find(peer).open(dtype, threads);
