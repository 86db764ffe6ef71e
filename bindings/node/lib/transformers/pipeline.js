// pipeline() of transformers.js for feature extraction: the same calls, defaults and results.
'use strict';

const { describe, invalid, unsupported } = require('../errors.js');
const { checkOneOf, checkTexts } = require('../options.js');
const { Callable } = require('./callable.js');
const { BertModel } = require('./model.js');
const { cat, mean_pooling, quantize_embeddings } = require('./operations.js');
const { openPretrained } = require('./pretrained.js');
const { Tensor } = require('./tensor.js');
const { BertTokenizer } = require('./tokenizer.js');

const TASKS = ['feature-extraction', 'embeddings'];
const POOLINGS = {
  none: 'none', mean: 'mean', cls: 'cls', first_token: 'cls', last_token: 'last', eos: 'last',
};
const DEFAULT_MODEL = 'Xenova/all-MiniLM-L6-v2';

class FeatureExtractionPipeline extends Callable {
  #tokenizer;
  #otherTokenizer;
  #model;

  constructor({ task, embedder }) {
    super();
    this.task = task;
    this.embedder = embedder;
    this.disposed = false;
  }

  get tokenizer() {
    return this.#otherTokenizer ?? (this.#tokenizer ??= new BertTokenizer(this.embedder));
  }

  // Another tokenizer, such as this one behind a Proxy that changes its options, makes the ids of later calls.
  set tokenizer(tokenizer) {
    if (typeof tokenizer !== 'function') throw invalid(`tokenizer: expected a function, found ${describe(tokenizer)}`);
    this.#otherTokenizer = tokenizer === this.#tokenizer ? undefined : tokenizer;
  }

  get model() {
    return (this.#model ??= new BertModel(this.embedder));
  }

  async _call(texts, { pooling = 'none', normalize = false, quantize = false, precision = 'binary' } = {}) {
    checkOneOf(pooling, 'pooling', Object.keys(POOLINGS));
    if (this.disposed) throw invalid('pipeline: it was disposed of; call pipeline() again');
    const list = textsOf(texts);
    let result;
    if (this.#otherTokenizer) {
      const inputs = await this.#otherTokenizer(list, { padding: true, truncation: true });
      result = pooled((await this.model(inputs)).last_hidden_state, inputs.attention_mask, POOLINGS[pooling]);
      if (normalize) result = result.normalize(2, -1);
    } else if (POOLINGS[pooling] === 'none') {
      result = await embedTokens(this.embedder, list);
      if (normalize) result = result.normalize(2, -1);
    } else {
      const vectors = new Float32Array(list.length * this.embedder.dimensions);
      const wanted = { pooling: POOLINGS[pooling], normalize: Boolean(normalize), promptName: '' };
      await this.embedder.embedInto(list, vectors, wanted);
      result = new Tensor('float32', vectors, [list.length, this.embedder.dimensions]);
    }
    return quantize ? quantize_embeddings(result, precision) : result;
  }

  // The model goes when its pool finds it idle; this does not wait for that.
  async dispose() {
    this.disposed = true;
    await this.embedder.unload();
  }
}

// At least one text. As in transformers.js, the strings of a nested array are one text, and half a character is U+FFFD.
function textsOf(texts) {
  const list = Array.isArray(texts) ? texts.map((text) => (Array.isArray(text) ? checkTexts(text).join('') : text)) : texts;
  if (Array.isArray(list) && list.length === 0) throw invalid('texts: expected a string or an array of strings, found an empty array');
  return checkTexts(list).map((text) => text.toWellFormed?.() ?? text.replace(/\p{Surrogate}/gu, '\uFFFD'));
}

function pooled(states, mask, pooling) {
  if (pooling === 'none') return states;
  if (pooling === 'mean') return mean_pooling(states, mask);
  if (pooling === 'cls') return states.slice(null, 0);
  const last = mask.tolist().map((row) => row.reduce((sum, token) => sum + Number(token), 0) - 1);
  return cat(last.map((token, text) => states.slice([text, text + 1], token)));
}

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
    const hint = task === 'text-classification' ? '; for a reranker, use rerank of thimble' : '';
    throw unsupported(`pipeline: expected the task feature-extraction, found ${describe(task)}${hint}`);
  }
  const name = model ?? DEFAULT_MODEL;
  const embedder = await openPretrained(name, options ?? {});
  if (embedder.info.modules.length > 0) {
    throw unsupported(`${name}: has modules behind its pooling (${embedder.info.modules.join(', ')}), ` +
      'which transformers.js does not run; use createEmbeddingFunction of thimble');
  }
  options?.progress_callback?.({ status: 'ready', task, model: name });
  return new FeatureExtractionPipeline({ task: 'feature-extraction', embedder });
}

module.exports = { FeatureExtractionPipeline, pipeline };
