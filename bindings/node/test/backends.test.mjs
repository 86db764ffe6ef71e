// Remote backends on the wire: the recorded exchanges, a provider that misbehaves, retries, limits and aborts.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { createEmbeddingFunction } from '../lib/index.mjs';
import { allKeys, dialects, exchanges, pathOf, rejection, serve, setEnvironment, startProvider, vectorOf } from './provider.mjs';

const require = createRequire(import.meta.url);
const { RemoteEngine } = require('../lib/backends/remote.js');
const { baseUrlOf } = require('../lib/backends/table.js');
const { fingerprintOf, namedFingerprint } = require('../lib/backends/space.js');
const { spaces, namedSpaces, baseUrls, cases } = exchanges;
const { at, logged } = await startProvider();

// The recorded exchanges. Each has its own path, so that they run at the same time against one server.

test('recorded exchanges', { concurrency: 16, timeout: 60_000 }, async (context) => {
  const waiting = cases.map(({ exchanges }) => [...exchanges]);
  const problems = [];
  const url = await serve((request, body, reply) => {
    const [, number, path] = /^\/(\d+)(.*)$/.exec(request.url);
    const found = waiting[number].findIndex((exchange) => exchange.request.method === request.method && exchange.request.path === path &&
      isDeepStrictEqual(exchange.request.body, body));
    if (found < 0) {
      problems.push(`${cases[number].name}: not expected: ${request.method} ${path} ${JSON.stringify(body)}`);
      reply.writeHead(418).end();
      return;
    }
    const [{ request: expected, reply: recorded }] = waiting[number].splice(found, 1);
    for (const [name, value] of Object.entries(expected.headers)) {
      if (request.headers[name] !== value) problems.push(`${cases[number].name}: ${name}: ${request.headers[name]}`);
    }
    reply.writeHead(recorded.status, recorded.headers).end(recorded.text ?? JSON.stringify(recorded.body));
  });
  setEnvironment(context, allKeys);
  await Promise.all(cases.map((recorded, number) => context.test(recorded.name, async () => {
    const { inputType: promptName, longTexts, model, ...options } = recorded.options;
    const embed = async () => new RemoteEngine(recorded.dialect, model,
      { ...options, baseUrl: `${url}/${number}${pathOf(recorded.dialect)}` }).embed(recorded.texts, { promptName, longTexts });
    if (recorded.error) {
      const error = await rejection(embed());
      assert.equal(error.code, recorded.error.code, error.message);
      for (const words of recorded.error.says) assert.ok(error.message.includes(words), `${error.message}: expected ${words}`);
    } else {
      const { vectors, tokens, truncated } = recorded.result;
      const found = await embed();
      assert.deepEqual(found.map(({ vector }) => Array.from(vector)), vectors);
      assert.deepEqual(found.map((item) => item.tokens ?? null), tokens);
      assert.deepEqual(found.map((item) => item.truncated ?? null), truncated);
    }
    assert.deepEqual(waiting[number], [], 'requests that were not sent');
  })));
  assert.deepEqual(problems, []);
});

test('fingerprints of spaces and base URLs', () => {
  for (const { dialect, baseUrl, model, dimensions, fingerprint } of spaces) {
    assert.equal(fingerprintOf(dialect, baseUrlOf(dialect, baseUrl).origin, model, dimensions), fingerprint);
  }
  for (const { space, dimensions, fingerprint } of namedSpaces) {
    assert.equal(namedFingerprint(space, dimensions), fingerprint);
  }
  for (const { dialect, given, url } of baseUrls) {
    if (url !== null) {
      assert.equal(baseUrlOf(dialect, given).href, url);
    } else {
      assert.throws(() => baseUrlOf(dialect, given), (error) => error.code === 'invalid_argument' && !error.message.includes('secret'));
    }
  }
});

// What comes of each fault in the first two of four requests; 'fine' is the right vectors.
const OUTCOMES = {
  'reset-before': 'fine', 'reset-within': 'fine', 'short-body': 'fine', 'endless-headers': 'fine',
  storm: 'fine', 'storm-ms': 'fine', 'storm-seconds': 'fine', 'storm-date': 'fine', 'storm-nonsense': 'fine', 'storm-hour': 'overloaded',
  'status-400': 'invalid_argument', 'status-401': 'io', 'status-408': 'fine', 'status-409': 'fine', 'status-413': 'invalid_argument',
  'status-422': 'invalid_argument', 'status-500': 'fine', 'status-503': 'fine', 'wrong-order': 'fine', gzip: 'fine',
  'truncated-json': 'corrupt', 'duplicate-index': 'corrupt', 'missing-item': 'corrupt', 'extra-item': 'corrupt', nan: 'corrupt',
  huge: 'corrupt', null: 'corrupt', string: 'corrupt', 'one-short': 'corrupt', 'all-short': 'corrupt', html: 'corrupt',
  empty: 'corrupt', deep: 'corrupt', 'wrong-type': 'corrupt', 'endless-body': 'corrupt', 'endless-vector': 'corrupt', bomb: 'corrupt',
  slow: 'io', hang: 'io', redirect: 'io',
};
// Of faults that are the same for every dialect one tests them.
const EVERYWHERE = ['reset-within', 'storm-ms', 'status-500', 'null', 'missing-item', 'one-short', 'status-422'];

const matrix = Object.keys(OUTCOMES).map((fault) => ['openai', fault]).concat(
  Object.keys(dialects).filter((name) => name !== 'openai').flatMap((name) => EVERYWHERE.map((fault) => [name, fault])));

test('faults lose nothing, repeat nothing and take bounded time', { concurrency: 16, timeout: 60_000 }, async (context) => {
  setEnvironment(context, allKeys);
  const texts = Array.from({ length: 8 }, (_, i) => `text ${i}`);
  await Promise.all(matrix.map(([dialect, fault]) => context.test(`${dialect} ${fault}`, async () => {
    const { part, backend } = at(dialect, fault, 2);
    const timeoutMs = ['slow', 'hang'].includes(fault) ? 800 : 15_000;
    const embed = createEmbeddingFunction({ backend, requestTexts: 2, dimensions: 8, encoding: 'float', timeoutMs });
    const start = performance.now();
    const prefix = dialect === 'cohere' ? 'search_document: ' : '';
    const expected = texts.map((text) => vectorOf(prefix + text));
    const good = (vectors) => vectors.forEach((vector, i) => vector && assert.deepEqual(vector, expected[i]));
    if (OUTCOMES[fault] === 'fine') {
      const vectors = await embed(texts);
      assert.equal(vectors.filter(Boolean).length, texts.length);
      good(vectors);
    } else {
      const error = await rejection(embed(texts));
      assert.equal(error.code, OUTCOMES[fault], error.message);
      assert.equal(error.partial.length, texts.length);
      good(error.partial);
      assert.ok(error.partial.includes(undefined));
      if (!['slow', 'hang'].includes(fault)) {
        const [, first] = /^texts\[(\d)\] to texts\[\d\]: /.exec(error.message);
        assert.equal(error.partial[first], undefined);
      }
    }
    assert.ok(performance.now() - start < timeoutMs + 2000);
    const requests = await logged(part);
    const answered = requests.filter((request) => request.fault === undefined).flatMap((request) => request.texts);
    assert.equal(new Set(answered).size, answered.length, 'a text that was answered was sent again');
    assert.ok(requests.length <= 7, `${requests.length} requests`);
    assert.ok(requests.every(({ host }) => host === '127.0.0.1'));
  })));
});

test('replies without end take no memory', async () => {
  const before = process.memoryUsage().rss;
  for (const fault of ['endless-body', 'endless-vector', 'endless-headers', 'bomb']) {
    await rejection(createEmbeddingFunction({ backend: at('openai', fault, '').backend, maxRetries: 1 })('a'));
  }
  assert.ok(process.memoryUsage().rss - before < 100e6);
});

test('a redirect gets no key', async (context) => {
  setEnvironment(context, allKeys);
  const error = await rejection(createEmbeddingFunction({ backend: at('openai', 'redirect', '').backend })('a'));
  assert.match(error.message, /status 307: a redirect/);
  assert.deepEqual((await logged('')).filter(({ host }) => host !== '127.0.0.1'), []);
});

test('an error of TLS is its reason alone', { skip: process.versions.bun && 'Bun has no errors of OpenSSL' }, async () => {
  const base = await serve(() => {});
  const error = await rejection(createEmbeddingFunction({ backend: `openai:m@${base.replace('http:', 'https:')}` })('a'));
  assert.equal(error.code, 'io');
  assert.match(error.message, /^texts\[0\]: openai: https:.*: TLS: wrong version number$/);
});

test('waits as long as the server asks', async () => {
  const took = async (fault, options) => {
    const start = performance.now();
    await createEmbeddingFunction({ backend: at('openai', fault, 1).backend, ...options })('a');
    return performance.now() - start;
  };
  const [seconds, date, ms] = await Promise.all([took('storm-seconds'), took('storm-date'), took('storm-ms')]);
  assert.ok(seconds >= 990 && seconds < 3000 && date >= 500 && date < 4000 && ms >= 19 && ms < 900, `${seconds} ${date} ${ms}`);
  const start = performance.now();
  const error = await rejection(took('storm-seconds', { timeoutMs: 500 }));
  assert.match(error.message, /status 429: too many requests; try again in 1 s$/);
  assert.ok(error.code === 'overloaded' && error.status === 429 && performance.now() - start < 400);
});

test('sends a request again as often as it may', async () => {
  const { part, backend } = at('openai', 'storm-ms', '');
  await rejection(createEmbeddingFunction({ backend, maxRetries: 2 })('a'));
  assert.equal((await logged(part)).length, 3);
});

test('an abort ends the call and its requests', async () => {
  const { part, backend } = at('openai', 'hang', '');
  const embed = createEmbeddingFunction({ backend, requestTexts: 1, concurrency: 2 });
  await assert.rejects(embed('a', { signal: AbortSignal.abort(new Error('before')) }), /^Error: before$/);
  const controller = new AbortController();
  const call = embed(['a', 'b', 'c', 'd'], { signal: controller.signal });
  setTimeout(() => controller.abort(new Error('enough')), 100);
  await assert.rejects(call, /^Error: enough$/);
  assert.equal((await logged(part)).length, 2);
});

test('the signals of a function and of a call both end it', async () => {
  const { backend } = at('openai', 'hang', '');
  for (const [ends, other] of [[0, 1], [1, 0]]) {
    const controllers = [new AbortController(), new AbortController()];
    const embed = createEmbeddingFunction({ backend, signal: controllers[0].signal });
    const call = embed('a', { signal: controllers[1].signal });
    setTimeout(() => controllers[ends].abort(new Error(`signal ${ends}`)), 50);
    await assert.rejects(call, new RegExp(`^Error: signal ${ends}$`));
    controllers[other].abort(new Error('late'));
  }
});

test('keeps requests within their number at a time, and order within it all', async () => {
  let now = 0, most = 0;
  const base = await serve((request, { input }, reply) => {
    most = Math.max(most, ++now);
    setTimeout(() => {
      --now;
      reply.end(JSON.stringify({ data: input.map((text, index) => ({ index, embedding: [Number(text), 1] })) }));
    }, 5 + 20 * Math.random());
  });
  const embed = createEmbeddingFunction({ backend: `openai:m@${base}`, requestTexts: 3, concurrency: 3 });
  const numbers = Array.from({ length: 50 }, (_, i) => i);
  const calls = await Promise.all([0, 100, 200].map((first) => embed(numbers.map((i) => String(first + i)))));
  assert.deepEqual(calls, [0, 100, 200].map((first) => numbers.map((i) => [first + i, 1])));
  assert.equal(most, 3);
});

test('cuts requests by bytes', async () => {
  const { part, backend } = at('openai');
  const long = '\u00fc'.repeat(100_000);
  await createEmbeddingFunction({ backend })([long, 'b', `${long}c`, 'd', `${long}${long}e`, 'f']);
  const requests = await logged(part);
  assert.deepEqual(requests.map(({ texts }) => texts.length).sort(), [1, 1, 2, 2]);
});
