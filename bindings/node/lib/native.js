// Embedding by the native engine and by the mocks in it, as one of the engines of an Embedder.
'use strict';

const { call, callSync, deepFreeze } = require('./engine.js');
const { VECTOR_OPTIONS, checkNames, checkSignal, checkWellFormed, shapeOf, vectorOptions } = require('./options.js');

// One native call takes at most so many texts, and for each thread so many characters: about 0.1 s of work, after which
// other callers have their turn and a call that was aborted ends.
const CALL_TEXTS = 64;
const CALL_CHARACTERS = 16384;

// Numbers that a report has in a native call: tokens, truncated, chunks.
const REPORT = 3;

class NativeEngine {
  #pool;
  #model;
  #dtype;
  #threads;
  #vectors;
  // Of a stream.
  batchSize = CALL_TEXTS;
  callOptions = [...VECTOR_OPTIONS, 'signal'];

  // `pool` is a function that gives the native pool, or throws when it is disposed of.
  constructor(pool, model, dtype, info, options) {
    this.#pool = pool;
    this.#model = model;
    this.#dtype = dtype;
    this.info = deepFreeze(info);
    this.#threads = options.threads ?? 1;
    this.#vectors = vectorOptions(options);
  }

  // {Vector, length} of the vectors of a call.
  shape(options) {
    const { dimensions = this.info.dimensions, precision } = this.#wanted(options);
    return shapeOf(dimensions, precision);
  }

  // Embeds into `vectors`; gives what reports() takes. `first` is the place of texts[0] for messages.
  async run(texts, vectors, options, first) {
    const wanted = this.#wanted(options);
    const { length } = this.shape(options);
    const reports = new Uint32Array(REPORT * texts.length);
    for (const [begin, end] of this.#parts(texts, first)) {
      const part = begin === 0 && end === texts.length ? texts : texts.slice(begin, end);
      const found = await call(this.#pool(), 'embed', options.signal, this.#model, this.#dtype, part,
        { ...wanted, firstIndex: first + begin }, vectors, begin * length);
      reports.set(found, REPORT * begin);
    }
    return reports;
  }

  reports(numbers, options) {
    const chunked = this.#wanted(options).longTexts === 'chunk';
    return Array.from({ length: numbers.length / REPORT }, (_, i) => {
      const [tokens, truncated, chunks] = numbers.subarray(REPORT * i, REPORT * (i + 1));
      return { tokens, truncated: truncated === 1, ...(chunked ? { chunks } : {}) };
    });
  }

  runSync(texts, vectors, options) {
    const wanted = this.#wanted(options);
    const { length } = this.shape(options);
    for (const [begin, end] of this.#parts(texts, 0)) {
      const part = texts.slice(begin, end);
      callSync(this.#pool(), 'embedSync', this.#model, this.#dtype, part, { ...wanted, firstIndex: begin }, vectors,
        begin * length);
    }
  }

  async embedTokens(text, signal) {
    const { vectors, ...report } = await call(this.#pool(), 'embedTokens', signal, this.#model, this.#dtype, text);
    return { ...report, vectors: new Float32Array(vectors.buffer) };  // Of the caller's realm.
  }

  // The vectors of the tokens of one sequence.
  async embedIds(ids) {
    return call(this.#pool(), 'embedIds', undefined, this.#model, this.#dtype, ids);
  }

  // All tokens of each text, at once on this thread: {ids, lengths, typeIds, offsets?}, each text's behind those of the one
  // before. `pairs`, where given, has the second text of each, or null. Offsets are in bytes, two for each token.
  tokenize(texts, pairs, { specialTokens, offsets }) {
    return callSync(this.#pool(), 'tokenize', this.#model, this.#dtype, texts, pairs, { specialTokens, offsets });
  }

  // {cls?, sep?, unk?, pad?, mask?}, each {id, text}.
  specialTokens() {
    return callSync(this.#pool(), 'specialTokens', this.#model, this.#dtype);
  }

  // {entries, joining}: the entry of each token id, empty where it has none, and the number of Joining.
  vocabulary() {
    return callSync(this.#pool(), 'vocabulary', this.#model, this.#dtype);
  }

  async unload() {
    await call(this.#pool(), 'unload', undefined, this.#model, this.#dtype);
  }

  // What a call wants, or else the embedder.
  #wanted(options) {
    checkNames(options, 'options', this.callOptions);
    checkSignal(options.signal);
    const given = vectorOptions(options);
    return Object.fromEntries(VECTOR_OPTIONS.map((name) => [name, given[name] ?? this.#vectors[name]]));
  }

  // [begin, end) of each native call.
  *#parts(texts, first) {
    const most = CALL_CHARACTERS * this.#threads;
    for (let begin = 0, end = 0; begin < texts.length; begin = end) {
      let characters = 0;
      while (end < texts.length && end - begin < CALL_TEXTS * this.#threads && (end === begin || characters < most)) {
        checkWellFormed(texts[end], first + end);
        characters += texts[end++].length;
      }
      yield [begin, end];
    }
  }
}

module.exports = { NativeEngine };
