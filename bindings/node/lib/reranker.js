// Reranker: a model of a pool that scores how well documents answer a query, and rerank, which keeps one for its model.
'use strict';

const { isLocal } = require('./backends/options.js');
const { call, deepFreeze, sharedPool } = require('./engine.js');
const { describe, invalid, unsupported } = require('./errors.js');
const {
  POOL_OPTIONS, backendOf, checkInteger, checkModel, checkNames, checkOneOf, checkSignal, checkStrings, checkType,
  checkWellFormed, downloadOf, poolOptions, withRevision,
} = require('./options.js');
const { openOrPull } = require('./pull.js');

const RANK_OPTIONS = ['rawScores', 'promptName', 'longTexts'];
const RERANKER_OPTIONS = ['dtype', 'revision', 'backend', ...RANK_OPTIONS, 'signal'];
const DEFAULT_RERANKER = 'ms-marco-MiniLM-L6-v2';
// One native call takes at most so many documents, after which other callers have their turn.
const CALL_DOCUMENTS = 32;

// Those of the options that are there, for the native pool.
function rankOptions({ rawScores, promptName, longTexts }) {
  return {
    rawScores: checkType(rawScores, 'rawScores', 'boolean'),
    promptName: checkType(promptName, 'promptName', 'string'),
    longTexts: checkOneOf(longTexts, 'longTexts', ['truncate', 'error']),
  };
}

function checkDocuments(documents) {
  const copy = checkStrings(documents, 'documents');
  copy.forEach((document, i) => checkWellFormed(document, `documents[${i}]`));
  return copy;
}

class Reranker {
  #pool;
  #model;
  #dtype;
  #threads;
  #options;

  // Of thimble's own layers; users have create() and pool.getReranker().
  constructor(pool, model, dtype, info, options) {
    if (typeof pool !== 'function') throw invalid('new Reranker: write await Reranker.create(...)');
    this.#pool = pool;
    this.#model = model;
    this.#dtype = dtype;
    this.info = deepFreeze(info);
    this.#threads = options.threads ?? 1;
    this.#options = rankOptions(options);
  }

  static async create(model, options = {}) {
    checkNames(options, 'options', [...RERANKER_OPTIONS, ...POOL_OPTIONS]);
    return openSharedReranker(model, options);
  }

  async scores(query, documents, options = {}) {
    checkNames(options, 'options', [...RANK_OPTIONS, 'signal']);
    checkSignal(options.signal);
    checkType(query ?? null, 'query', 'string');
    checkWellFormed(query, 'query');
    const list = checkDocuments(documents);
    const given = rankOptions(options);
    const wanted = Object.fromEntries(RANK_OPTIONS.map((name) => [name, given[name] ?? this.#options[name]]));
    const size = CALL_DOCUMENTS * this.#threads;
    const parts = [];
    for (let begin = 0; begin < list.length; begin += size) {
      parts.push(await call(this.#pool(), 'rank', options.signal, this.#model, this.#dtype, query,
        list.slice(begin, begin + size), { ...wanted, firstIndex: begin }));
    }
    const scores = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      scores.set(part, at);
      at += part.length;
    }
    return scores;
  }

  async rank(query, documents, options = {}) {
    checkNames(options, 'options', ['topN', 'returnDocuments', ...RANK_OPTIONS, 'signal']);
    const { topN, returnDocuments, ...others } = options;
    checkInteger(topN, 'topN', 1);
    checkType(returnDocuments, 'returnDocuments', 'boolean');
    if (this.info.labels?.length > 1) {
      throw unsupported(`${this.info.name} gives a pair ${this.info.labels.length} scores, and none of them says how well a ` +
        'document answers; use scores()');
    }
    const list = checkDocuments(documents);
    const scores = await this.scores(query, list, others);
    const ranked = Array.from(scores, (score, index) => ({
      index, score, ...(returnDocuments ? { document: list[index] } : {}),
    }));
    return ranked.sort((a, b) => b.score - a.score || a.index - b.index).slice(0, topN);
  }

  async unload() {
    await call(this.#pool(), 'unload', undefined, this.#model, this.#dtype);
  }
}

async function openSharedReranker(model, options) {
  const pool = poolOptions(options);
  return openReranker(() => sharedPool(pool), model, { ...options, ...pool });
}

// `pool` is a function that gives the native pool, or throws when it is disposed of.
async function openReranker(pool, model, options) {
  const backend = backendOf(options.backend, model);
  checkSignal(options.signal);
  if (!isLocal(backend)) {
    throw unsupported(`backend: rerankers run natively or as a mock, found ${describe(backend)}`);
  }
  rankOptions(options);
  checkModel(model, options.dtype);
  const { dtype } = options;
  const wanted = withRevision(model, options.revision);
  let name = backend;
  const open = (found) => call(pool(), 'open', options.signal, name = found, dtype ?? '', false);
  const info = backend === 'native'
    ? await openOrPull(open, downloadOf(options), wanted, { dtype, folder: options.folder, signal: options.signal })
    : await open(name);
  if (info.labels === undefined && !info.name.startsWith('mock')) {
    throw unsupported(`${info.name} is an embedding model, which has no scores of pairs; use an Embedder, or a reranker here`);
  }
  Object.assign(info, { backend, longTexts: ['truncate', 'error'] });
  return new Reranker(pool, name, dtype ?? '', info, options);
}

// The options of rerank.
function checkRerankOptions(options) {
  checkNames(options, 'options', ['model', 'topN', 'returnDocuments', ...RERANKER_OPTIONS, ...POOL_OPTIONS]);
  checkInteger(options.topN, 'topN', 1);
  return options;
}

async function rerank(query, documents, options = {}) {
  const { model = DEFAULT_RERANKER, topN, returnDocuments, ...others } = checkRerankOptions(options);
  const reranker = await openSharedReranker(model, others);
  return reranker.rank(query, documents, { topN, returnDocuments, signal: options.signal });
}

module.exports = { RERANKER_OPTIONS, Reranker, checkRerankOptions, openReranker, rerank };
