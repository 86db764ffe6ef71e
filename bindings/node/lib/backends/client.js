// A client of one provider: cuts texts into requests, sends a few at a time, and collects their vectors.
'use strict';

const { ThimbleError, describe, invalid } = require('../errors.js');
const { abortable } = require('../promises.js');
const { exchange } = require('./http.js');
const { howToSet, keyOf } = require('./keys.js');
const { fingerprintOf } = require('./space.js');
const { at, baseUrlOf, common } = require('./table.js');
const { batches, decodeReply, errorCode, fieldsOf, messageOf, parse, replyBytes } = require('./wire.js');

// A semaphore; waiters proceed in the order in which they came.
class Slots {
  #free;
  #waiting = [];

  constructor(count) {
    this.#free = count;
  }

  async take(signal) {
    signal.throwIfAborted();
    if (this.#free > 0) {
      --this.#free;
      return;
    }
    await abortable(signal, (next) => {
      this.#waiting.push(next);
      return () => this.#waiting.splice(this.#waiting.indexOf(next), 1);
    });
  }

  give() {
    const next = this.#waiting.shift();
    if (next) next();
    else ++this.#free;
  }
}

class Client {
  #dialect;
  #options;  // { model, dimensions, encoding, requestTexts, maxRetries }
  #base;
  #slots;
  #dimensions;  // Of every vector, once known.
  #page;  // What the provider states of itself, { texts, textTokens, model }, once asked.

  constructor(name, dialect, options) {
    this.name = name;
    this.#dialect = dialect;
    this.#options = options;
    this.#base = baseUrlOf(name, options.baseUrl);
    this.#dimensions = options.dimensions;
    this.#slots = new Slots(options.concurrency ?? common.defaults.concurrency);
    if (dialect.fields.model !== null && !options.model) {
      throw invalid(`backend ${name}: needs a model, as ${name}:MODEL`);
    }
    fieldsOf(name, dialect, options);
  }

  // Equal for clients of one vector space; known without a request.
  get identity() {
    return [this.name, this.#base.origin, this.#options.model ?? '', this.#options.dimensions ?? 0].join('\n');
  }

  // Whether the base URL is the table's, and not that of another server with this dialect.
  get #atProvider() {
    return this.#base.href === this.#dialect.baseUrl;
  }

  // ModelInfo as in index.d.ts; dimensions are undefined until they are known. Asks the provider if it has a page about
  // itself.
  async describe(call) {
    const page = await this.#askPage(call);
    const { limits, inputType, longTexts } = this.#dialect;
    const model = this.#options.model ?? page.model ?? '';
    const textTokens = page.textTokens ?? (this.#atProvider && limits.textTokens || 0);
    return {
      name: model,
      backend: this.name,
      fingerprint: fingerprintOf(this.name, this.#base.origin, model, this.#options.dimensions),
      dtype: '', layers: 0, heads: 0, vocabulary: 0, positions: 0,
      dimensions: this.#dimensions,
      maxTokens: textTokens,
      tokenizersMaxTokens: textTokens,
      prompts: { ...inputType?.values },
      defaultPromptName: inputType?.default ?? undefined,
      tokenDimensions: 0, pooling: '', modules: [], normalize: false, fileBytes: 0,
      limits: { texts: this.#mostTexts(page), bytes: limits.bytes },
      longTexts: Object.keys(longTexts ?? {}).filter((name) => name !== 'field'),
    };
  }

  // Sets vector, tokens and truncated of each item { text, place }; errors do not name items without a place. After a
  // failure it sends nothing more, waits for the requests under way, and leaves the vectors it has in place. `call` is
  // { promptName, longTexts, signal, deadline }.
  async embed(items, call) {
    const request = fieldsOf(this.name, this.#dialect, { ...this.#options, ...call });
    const page = await this.#askPage(call);
    const texts = items.map(({ text }) => text);
    const queue = batches(texts, this.#mostTexts(page), this.#dialect.limits.bytes);
    let failure;
    const work = async () => {
      while (failure === undefined) {
        const { done, value } = queue.next();
        if (done) return;
        const batch = items.slice(...value);
        try {
          await this.#embedBatch(batch, request, call);
        } catch (error) {
          failure ??= call.signal.aborted ? error : located(error, batch);
        }
      }
    };
    const workers = Math.min(items.length, this.#options.concurrency ?? common.defaults.concurrency);
    await Promise.all(Array.from({ length: workers }, work));
    if (failure !== undefined) throw failure;
  }

  async #embedBatch(batch, { given, encoding }, call) {
    const texts = batch.map(({ text }) => text);
    const { fields, path } = this.#dialect;
    await this.#slots.take(call.signal);
    try {
      const body = JSON.stringify({ [fields.texts]: texts, ...given });
      const expected = { encoding, count: texts.length, dimensions: this.#dimensions };
      const { vectors, tokens } = await this.#send({ method: 'POST', path, body }, call,
        replyBytes(this.#dialect, texts, this.#dimensions),
        (reply, where) => decodeReply(this.#dialect, reply, { ...expected, where }));
      this.#dimensions ??= vectors[0].length;
      batch.forEach((item, i) => {
        item.vector = vectors[i];
        item.tokens = batch.length === 1 ? tokens : undefined;
        item.truncated = call.longTexts === 'error' ? false : undefined;
      });
    } finally {
      this.#slots.give();
    }
  }

  // Returns read(reply, where). No error contains the key.
  async #send({ method, path, body }, { signal, deadline }, mostBytes, read) {
    const dialect = this.#dialect;
    const key = await keyOf(this.name, dialect);
    if (key === undefined && dialect.keyRequired && this.#atProvider) {
      throw new ThimbleError('not_found', `${this.name}: ${this.#base.origin} needs a key; set ${howToSet(dialect)}`);
    }
    const where = `${this.name}: ${this.#base.href}${path}`;
    const headers = {
      accept: 'application/json',
      'accept-encoding': 'identity',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { [common.key.header]: common.key.prefix + key }),
    };
    const describeError = (status, text) => {
      const message = messageOf(dialect, text);
      let help = '';
      if (status === 401 || status === 403) {
        help = key === undefined ? `; set ${howToSet(dialect)}` : `; check ${dialect.keyVariables.join(' or ')}`;
      }
      const error = new ThimbleError(errorCode(status), `${where}: status ${status}${message && `: ${message}`}${help}`);
      return Object.assign(error, { status });
    };
    try {
      return read(await exchange({ url: this.#base.href + path, method, headers, body, where },
        { signal, deadline, mostBytes, maxRetries: this.#options.maxRetries, describeError }), where);
    } catch (error) {
      if (key === undefined || !error.message?.includes(key)) throw error;
      // A new one, because the stack of the old one may show its message.
      const { code = 'io', status } = error;
      throw Object.assign(new ThimbleError(code, error.message.replaceAll(key, '***')), { status });
    }
  }

  async #askPage(call) {
    const { info } = this.#dialect;
    if (info === undefined || this.#page) return this.#page ?? {};
    try {
      this.#page = await this.#send({ method: 'GET', path: info.path }, call, common.reply.bytes,
        (reply, where) => readPage(info, reply, where));
    } catch (error) {
      if (!(error.status >= 400 && error.status < 500)) throw error;
      this.#page = {};
    }
    return this.#page;
  }

  #mostTexts(page) {
    const wanted = this.#options.requestTexts ?? common.defaults.requestTexts;
    return Math.min(page.texts ?? this.#dialect.limits.items, wanted);
  }
}

function readPage(info, { text }, where) {
  const body = parse(text, where);
  const page = {};
  for (const [name, pointer] of [['texts', info.items], ['textTokens', info.textTokens], ['model', info.model]]) {
    const value = at(body, pointer);
    if (value === undefined || value === null) continue;
    const [good, expected] = name === 'model'
      ? [typeof value === 'string', 'a name']
      : [Number.isSafeInteger(value) && value > 0, 'a count'];
    if (!good) throw new ThimbleError('corrupt', `${where}: expected ${expected} at ${pointer}, found ${describe(value)}`);
    page[name] = value;
  }
  return page;
}

// The error of a request, with the places of its texts if they have one.
function located(error, batch) {
  if (!(error instanceof ThimbleError) || batch[0].place === undefined) return error;
  const [first, last] = [batch[0].place, batch[batch.length - 1].place];
  const texts = first === last ? `texts[${first}]` : `texts[${first}] to texts[${last}]`;
  error.message = `${texts}: ${error.message}`;
  return error;
}

module.exports = { Client };
