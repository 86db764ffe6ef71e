// pipeline() of transformers.js for feature extraction: the same calls, defaults and results.
'use strict';

const { openShared } = require('../embedder.js');
const { ThimbleError, describe, invalid } = require('../errors.js');
const { checkOneOf, checkTexts, downloadOf } = require('../options.js');
const { LOCAL_MODEL_PATH, env } = require('./env.js');
const { Tensor, quantizeEmbeddings } = require('./tensor.js');

const TASKS = ['feature-extraction', 'embeddings'];
// Names of transformers.js for what thimble calls otherwise.
const DTYPES = { auto: 'fp32', int8: 'q8', uint8: 'q8', q4f16: 'q4', bnb4: 'q4' };
const POOLINGS = {
  none: 'none', mean: 'mean', cls: 'cls', first_token: 'cls', last_token: 'last', eos: 'last',
};
const DEFAULT_MODEL = 'Xenova/all-MiniLM-L6-v2';

class FeatureExtractionPipeline {
  constructor({ task, embedder }) {
    // An instance is a function.
    const call = (texts, options) => this._call.call(call, texts, options);
    Object.setPrototypeOf(call, new.target.prototype);
    call.task = task;
    call.embedder = embedder;
    return call;
  }

  async _call(texts, { pooling = 'none', normalize = false, quantize = false, precision = 'binary' } = {}) {
    checkOneOf(pooling, 'pooling', Object.keys(POOLINGS));
    const list = checkTexts(texts);
    let result;
    if (POOLINGS[pooling] === 'none') {
      result = await embedTokens(this.embedder, list);
      if (normalize) result = result.normalize(2, -1);
    } else {
      const vectors = new Float32Array(list.length * this.embedder.dimensions);
      const wanted = { pooling: POOLINGS[pooling], normalize: Boolean(normalize), promptName: '' };
      await this.embedder.embedInto(list, vectors, wanted);
      result = new Tensor('float32', vectors, [list.length, this.embedder.dimensions]);
    }
    return quantize ? quantizeEmbeddings(result, precision) : result;
  }

  // The model goes when its pool finds it idle; this does not wait for that.
  async dispose() {
    await this.embedder.unload();
  }
}
Object.setPrototypeOf(FeatureExtractionPipeline.prototype, Function.prototype);

// [texts][longest][dimensions], zeros behind the tokens of a shorter text.
async function embedTokens(embedder, texts) {
  const found = [];
  for (const text of texts) found.push(await embedder.embedTokens(text));
  const longest = Math.max(0, ...found.map(({ tokens }) => tokens));
  const width = embedder.info.tokenDimensions;
  const step = longest * width;
  const data = new Float32Array(texts.length * step);
  found.forEach(({ vectors }, i) => data.set(vectors, i * step));
  return new Tensor('float32', data, [texts.length, longest, width]);
}

async function pipeline(task, model, options) {
  if (!TASKS.includes(task)) {
    throw new ThimbleError('unsupported', `pipeline: expected the task feature-extraction, found ${describe(task)}`);
  }
  const { dtype, quantized, progress_callback: progress, cache_dir: folder = env.cacheDir, revision } = options ?? {};
  if (dtype !== undefined && typeof dtype !== 'string') throw invalid(`dtype: expected a string, found ${describe(dtype)}`);
  const wanted = dtype ?? (quantized ? 'q8' : 'fp32');
  const name = model ?? DEFAULT_MODEL;
  progress?.({ status: 'initiate', name });
  const settings = { dtype: DTYPES[wanted] ?? wanted, ...(folder ? { folder } : {}) };
  const onProgress = ({ stage, bytes: loaded, totalBytes: total }) => {
    if (stage === 'downloading' && total > 0) progress?.({ status: 'progress', name, loaded, total, progress: 100 * loaded / total });
  };
  const download = downloadOf(options ?? {}) && options.local_files_only !== true;
  const localFolders = [folder, env.localModelPath].filter((place) => place && place !== LOCAL_MODEL_PATH);
  const embedder = await openShared(name, {
    ...settings, revision, download, truncation: 'transformers.js', pull: { onProgress, localFolders },
  });
  if (embedder.info.modules.length > 0) {
    throw new ThimbleError('unsupported', `${name}: has modules behind its pooling (${embedder.info.modules.join(', ')}), ` +
      'which transformers.js does not run; use createEmbeddingFunction of thimble');
  }
  progress?.({ status: 'ready', task, model });
  return new FeatureExtractionPipeline({ task: 'feature-extraction', embedder });
}

module.exports = { FeatureExtractionPipeline, pipeline };
