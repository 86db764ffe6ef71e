// The peers, with one face: open(peer, dtype) resolves to { embed(texts), close() }, load(peer) loads its code alone.
//
// PEER is transformers.js, onnxruntime-node, or thimble. All of them take one thread, the model's mean pooling and unit
// length, and 256 tokens at most.

import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { pool } from './pooling.mjs';

const MODEL = 'Xenova/all-MiniLM-L6-v2';
const models = join(dirname(fileURLToPath(import.meta.url)), 'models');
const ONE_THREAD = { intraOpNumThreads: 1, interOpNumThreads: 1 };

async function importTransformers() {
  const transformers = await import('@huggingface/transformers');
  transformers.env.allowRemoteModels = false;
  transformers.env.localModelPath = models;
  return transformers;
}

async function openTransformers(dtype) {
  const { pipeline } = await importTransformers();
  const extractor = await pipeline('feature-extraction', MODEL, { dtype, session_options: ONE_THREAD });
  return {
    embed: async (texts) => (await extractor(texts, { pooling: 'mean', normalize: true })).data,
    close: () => extractor.dispose(),
  };
}

async function importOnnxruntime() {
  return { ...await importTransformers(), ort: (await import('onnxruntime-node')).default };
}

async function openOnnxruntime(dtype) {
  const { AutoTokenizer, ort } = await importOnnxruntime();
  const tokenizer = await AutoTokenizer.from_pretrained(MODEL);
  const file = join(models, MODEL, 'onnx', dtype === 'q8' ? 'model_quantized.onnx' : 'model.onnx');
  const session = await ort.InferenceSession.create(file, ONE_THREAD);
  return {
    embed: async (texts) => {
      const inputs = await tokenizer(texts, { padding: true, truncation: true, max_length: 256 });
      const feeds = {};
      for (const name of session.inputNames) {
        feeds[name] = new ort.Tensor('int64', inputs[name].data, inputs[name].dims);
      }
      const { last_hidden_state: states } = await session.run(feeds);
      return pool(states, inputs.attention_mask.data, 'mean');
    },
    close: () => session.release(),
  };
}

// THIMBLE_PACKAGE is the folder of the Node.js package, THIMBLE_HOME that of its models.
const importThimble = () => import(pathToFileURL(join(process.env.THIMBLE_PACKAGE, 'lib', 'index.mjs')).href);

async function openThimble(dtype) {
  const { Embedder } = await importThimble();
  const embedder = await Embedder.create(MODEL, { dtype });
  return { embed: (texts) => embedder.embed(texts), close: () => embedder.unload() };
}

const PEERS = {
  'transformers.js': { load: importTransformers, open: openTransformers },
  'onnxruntime-node': { load: importOnnxruntime, open: openOnnxruntime },
  thimble: { load: importThimble, open: openThimble },
};

function find(peer) {
  if (!(peer in PEERS)) throw new Error(`expected ${Object.keys(PEERS).join(', ')}; found ${peer}`);
  return PEERS[peer];
}

export const load = (peer) => find(peer).load();
export const open = (peer, dtype) => find(peer).open(dtype);
