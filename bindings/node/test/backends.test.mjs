// Remote backends: the recorded exchanges, a provider that misbehaves, and what callers see of both.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { inspect, isDeepStrictEqual } from 'node:util';
import { Embedder, ModelPool, createEmbeddingFunction, mockEmbeddingFunction } from '../lib/index.mjs';
import { lib, root, runModule, temporaryFolder } from './support.mjs';

const require = createRequire(import.meta.url);
const { RemoteEngine } = require('../lib/backends/remote.js');
const { baseUrlOf, dialects } = require('../lib/backends/table.js');
const { fingerprintOf, namedFingerprint } = require('../lib/backends/space.js');
const tests = join(root, '..', '..', 'tests');
const { key: KEY, spaces, namedSpaces, baseUrls, cases } = JSON.parse(readFileSync(join(tests, 'fixtures', 'exchanges.json'), 'utf8'));

const VARIABLES = ['THIMBLE_BACKEND', ...Object.values(dialects).flatMap(({ baseUrlVariable, keyVariables }) =>
  [baseUrlVariable, ...keyVariables, ...keyVariables.map((name) => `${name}_FILE`)].filter(Boolean))];
const clearEnvironment = () => VARIABLES.forEach((name) => delete process.env[name]);
clearEnvironment();

// For the time of one test; subtests share it.
function setEnvironment(context, values) {
  Object.assign(process.env, values);
  context.after(clearEnvironment);
}
const allKeys = Object.fromEntries(Object.values(dialects).map(({ keyVariables }) => [keyVariables[0], KEY]));

// Nothing that a user could print shows the key.
function hidesKey(error) {
  for (const text of [error.message, error.stack, JSON.stringify(error), inspect(error, { depth: 9, showHidden: true })]) {
    assert.ok(!String(text).includes(KEY), text);
  }
  return true;
}

async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    hidesKey(error);
    return error;
  }
  return assert.fail('expected an error');
}

// A server that answers with answer(request, body, reply), on loopback.
async function serve(answer) {
  const server = createServer((request, reply) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => answer(request, chunks.length > 0 ? JSON.parse(Buffer.concat(chunks)) : undefined, reply));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

// The recorded exchanges. Each has its own path, so that they run at the same time against one server.

const pathOf = (name) => new URL(dialects[name].baseUrl ?? 'http://x').pathname.replace(/\/$/, '');

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

// The provider of tests/fake_provider.py.

let provider, url;
before(async () => {
  provider = spawn('python3', [join(tests, 'fake_provider.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  ({ url } = JSON.parse(await new Promise((resolve) => provider.stdout.once('data', resolve))));
});
after(() => provider.stdin.end());

// As the provider makes them.
function vectorOf(text, dimensions = 8) {
  const digest = createHash('sha256').update(text).digest();
  return Array.from({ length: dimensions }, (_, i) => (digest[i % 32] - 128) / 128);
}

// The requests with this in their path, each with its texts.
async function logged(part) {
  const log = await (await fetch(`${url}/control/log`)).json();
  return log.filter(({ path }) => path.includes(part)).map((request) => {
    const { input, inputs, texts } = request.body ?? {};
    return { ...request, texts: [input ?? inputs ?? texts ?? []].flat() };
  });
}

let tags = 0;
// The name of a backend at the provider, with a part of its path that no other test has.
function at(dialect, fault = 'wrong-order', count = 0) {
  const part = `/fault/${fault}:${count}:${++tags}`;
  const base = url + part + pathOf(dialect);
  return { part: `${part}/`, backend: dialect === 'tei' ? `tei:${base}` : `${dialect}:m@${base}` };
}

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
  assert.match(error.message, /status 429: too many requests; it asks to come back in 1 s$/);
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

test('a cache pays for a text once, within its quota', async () => {
  const { part, backend } = at('cohere');
  const texts = async () => (await logged(part)).flatMap((request) => request.texts);
  const embed = createEmbeddingFunction({ backend, cache: { maxBytes: 2000 } });
  const first = await embed(['a', 'b', 'a']);
  assert.deepEqual(first, ['a', 'b', 'a'].map((text) => vectorOf(`search_document: ${text}`)));
  first[0][0] = 7;
  assert.deepEqual(await embed(['b', 'a', 'c']), ['b', 'a', 'c'].map((text) => vectorOf(`search_document: ${text}`)));
  assert.deepEqual(await texts(), ['a', 'b', 'c']);
  assert.deepEqual(await embed('a', { promptName: 'query' }), vectorOf('search_query: a'));
  assert.deepEqual((await texts()).length, 4);
  await embed(Array.from({ length: 20 }, (_, i) => `other ${i}`));
  await embed('b');
  assert.equal((await texts()).length, 25);
  await embed('b');
  assert.equal((await texts()).length, 25);
  const large = createEmbeddingFunction({ backend, cache: { maxBytes: 1 } });
  await large('a');
  await large('a');
  assert.equal((await texts()).length, 27);
});

test('a cache drops what was not used for longest', async () => {
  const { part, backend } = at('openai');
  const embed = createEmbeddingFunction({ backend, cache: { maxBytes: 500 } });  // Two vectors.
  for (const text of ['a', 'b', 'a', 'c', 'a', 'b']) await embed(text);
  assert.deepEqual((await logged(part)).flatMap(({ texts }) => texts), ['a', 'b', 'c', 'b']);
});

test('the vectors of an interrupted call are in its cache', async () => {
  const { part, backend } = at('openai', 'status-400', 1);
  const embed = createEmbeddingFunction({ backend, requestTexts: 1, concurrency: 1, cache: { maxBytes: '1MB' } });
  const error = await rejection(embed(['a', 'b']));
  assert.deepEqual(error.partial, [undefined, undefined]);
  await embed('b');
  await embed(['a', 'b']);
  assert.deepEqual((await logged(part)).flatMap(({ texts }) => texts), ['a', 'b', 'a']);
});

test('a failure keeps what is there, and says which texts are not', async () => {
  const base = await serve((request, { input }, reply) => {
    if (input.includes('bad')) reply.writeHead(400).end('{"error": {"message": "no such text"}}');
    else reply.end(JSON.stringify({ data: input.map((text, index) => ({ index, embedding: [text.length, 1] })) }));
  });
  const options = { backend: `openai:m@${base}`, requestTexts: 2, concurrency: 1 };
  const texts = ['a', 'bb', 'ccc', 'bad', 'a', 'eeee'];
  const error = await rejection(createEmbeddingFunction(options)(texts));
  assert.match(error.message, /^texts\[2\] to texts\[3\]: openai: http:.* status 400: no such text$/);
  assert.deepEqual(error.partial, [[1, 1], [2, 1], undefined, undefined, [1, 1], undefined]);
  const embedder = await Embedder.create('m', { ...options, dimensions: 2, cache: { maxBytes: 1e6 } });
  const vectors = new Float32Array(12);
  const { partial } = await rejection(embedder.embedInto(texts, vectors));
  assert.deepEqual(partial[1], Float32Array.of(2, 1));
  partial[1][0] = 7;
  assert.deepEqual(await embedder.embed('bb'), Float32Array.of(2, 1));
  assert.deepEqual(Array.from(vectors), [1, 1, 2, 1, 0, 0, 0, 0, 1, 1, 0, 0]);
  const seen = [];
  const stream = async () => {
    for await (const { text } of embedder.embedStream(texts, { batchSize: 2 })) seen.push(text);
  };
  const late = await rejection(stream());
  assert.match(late.message, /^texts\[2\] to texts\[3\]: /);
  assert.equal(late.first, 2);
  assert.deepEqual(seen, ['a', 'bb']);
});

test('a chain falls over, and passes over what failed', async () => {
  const { part } = at('openai', 'status-500', '');
  const one = `openai:m@${url}${part}v1`;
  const two = at('openai');
  const embed = createEmbeddingFunction({ backend: `${one},${two.backend}`, maxRetries: 0 });
  assert.deepEqual(await embed('a'), vectorOf('a'));
  assert.deepEqual(await embed('b'), vectorOf('b'));
  assert.equal((await logged(part)).length, 1);
  assert.equal((await logged(two.part)).length, 2);
  const failing = await serve((request, { input }, reply) => {
    reply.writeHead(input[0] === 'f' ? 500 : 200).end(JSON.stringify({ data: [{ index: 0, embedding: vectorOf(input[0]) }] }));
  });
  const rest = at('ollama');
  const both = createEmbeddingFunction({ backend: `openai:m@${failing},${rest.backend}`, space: 'ours', requestTexts: 1, concurrency: 1,
    maxRetries: 0 });
  assert.deepEqual(await both(['e', 'f', 'g']), ['e', 'f', 'g'].map((text) => vectorOf(text)));
  assert.deepEqual((await logged(rest.part)).map(({ texts }) => texts), [['f'], ['g']]);
  const neither = createEmbeddingFunction({ backend: `${one},${one}`, maxRetries: 0 });
  assert.match((await rejection(neither('a'))).message, /^no backend succeeded: texts\[0\]: .*500.*; texts\[0\]: .*500/);
  const hanging = createEmbeddingFunction({ backend: `${at('openai', 'hang', '').backend},${two.backend}`, timeoutMs: 1000 });
  assert.deepEqual(await hanging('c'), vectorOf('c'));
  const refused = createEmbeddingFunction({ backend: `${at('openai', 'status-422', '').backend},${two.backend}` });
  assert.equal((await rejection(refused('d'))).code, 'invalid_argument');
});

test('a chain does not mix spaces', async () => {
  const base = `${url}/v1`;
  for (const backend of ['native,openai:m', `openai:m@${base},openai:n@${base}`, `openai:m@${base},voyage:m@${base}`]) {
    assert.throws(() => createEmbeddingFunction({ backend }), { code: 'invalid_argument', message: /different vector spaces.* space/ });
  }
  const { part, backend } = at('openai', 'status-500', '');
  const chain = { backend: `${backend},${at('ollama').backend}`, space: 'ours', maxRetries: 0 };
  assert.deepEqual(await createEmbeddingFunction(chain)('a'), vectorOf('a'));
  const embedder = await Embedder.create('m', chain);
  assert.deepEqual([embedder.dimensions, embedder.info.fingerprint], [8, namedFingerprint('ours')]);
  assert.equal((await logged(part)).length, 2);
  // The word of the user does not make lengths equal.
  const two = await serve((request, { input }, reply) => reply.end(JSON.stringify({ embeddings: input.map(() => [1, 2]) })));
  const mixed = createEmbeddingFunction({ backend: `${at('openai', 'status-500', '2').backend.replace(':2:', ':1:')},ollama:m@${two}`,
    space: 'ours', maxRetries: 0 });
  assert.deepEqual(await mixed('a'), [1, 2]);
  const parts = createEmbeddingFunction({ backend: `${at('openai', 'status-500', 1).backend},ollama:m@${two}`, space: 'ours', maxRetries: 0,
    requestTexts: 1, concurrency: 2 });
  assert.match((await rejection(parts(['a', 'b']))).message, /gives vectors of 2 values, and the space has 8/);
});

test('an embedder has the same functions with a remote backend', async () => {
  const { part, backend } = at('openai');
  const embedder = await Embedder.create('m', { backend });
  assert.equal(embedder.dimensions, 8);
  assert.deepEqual((await logged(part)).map(({ texts }) => texts.length), [1]);
  const { fingerprint, limits, longTexts, prompts, maxTokens, name } = embedder.info;
  assert.deepEqual({ fingerprint, limits, longTexts, prompts, maxTokens, name },
    { fingerprint: fingerprintOf('openai', url, 'm'), limits: { texts: 256, bytes: 300000 }, longTexts: [], prompts: {}, maxTokens: 8192, name: 'm' });
  assert.deepEqual(await embedder.embed('a'), Float32Array.from(vectorOf('a')));
  assert.deepEqual(await embedder.embed([]), []);
  const vectors = new Float32Array(16);
  assert.deepEqual(await embedder.embedInto('four', vectors), [{ tokens: 4, truncated: undefined }]);
  assert.deepEqual(Array.from(vectors.subarray(0, 8)), vectorOf('four'));
  const found = [];
  for await (const { text, vector } of embedder.embedStream(['a', 'b', 'c'])) found.push([text, Array.from(vector)]);
  assert.deepEqual(found, ['a', 'b', 'c'].map((text) => [text, vectorOf(text)]));
  const unit = await (await Embedder.create('m', { backend, normalize: true })).embed('a');
  assert.ok(Math.abs(Math.hypot(...unit) - 1) < 1e-6 && Math.abs(unit[0] / unit[1] - vectorOf('a')[0] / vectorOf('a')[1]) < 1e-5);
  assert.throws(() => embedder.embedSync('a'), { code: 'unsupported' });
  await assert.rejects(embedder.embedTokens('a'), { code: 'unsupported' });
  await assert.rejects(embedder.embed('a', { pooling: 'cls' }), { code: 'unsupported', message: /^pooling/ });
  await embedder.unload();
  const known = at('cohere');
  const { info } = await Embedder.create('m', { backend: known.backend, dimensions: 4 });
  assert.deepEqual([info.dimensions, info.defaultPromptName, info.prompts.query], [4, 'document', 'search_query']);
  assert.equal((await logged(known.part)).length, 0);
});

test('pools and chains have backends of both kinds', async () => {
  const embedder = await new ModelPool().getModel('m', { backend: at('openai').backend });
  assert.deepEqual(await embedder.embed('a'), Float32Array.from(vectorOf('a')));
  const { backend } = at('openai', 'status-500', '');
  const chain = createEmbeddingFunction({ backend: `${backend},mock`, space: 'ours', maxRetries: 0 });
  assert.deepEqual(await chain(['a', 'b']), (await mockEmbeddingFunction(['a', 'b'])).map((vector) => vector.map(Math.fround)));
  const absent = createEmbeddingFunction({ backend: `native,${at('openai').backend}`, space: 'ours', modelName: './absent' });
  assert.deepEqual(await absent('a'), vectorOf('a'));
  assert.equal((await Embedder.create('mock-hashed')).info.backend, 'mock-hashed');
});

test('the limits of TEI are those that it states', async () => {
  await fetch(`${url}/control`, { method: 'POST', body: '{"texts": 3}' });
  const { part, backend } = at('tei');
  const embedder = await Embedder.create(undefined, { backend });
  await embedder.embed(['a', 'b', 'c', 'd']);
  await fetch(`${url}/control`, { method: 'POST', body: '{"texts": 2048}' });
  assert.deepEqual([embedder.info.limits.texts, embedder.info.maxTokens, embedder.info.name], [3, 512, 'fake-model']);
  assert.deepEqual((await logged(part)).map(({ texts }) => texts.length).sort(), [0, 1, 1, 3]);
});

test('THIMBLE_BACKEND and the environment select', async (context) => {
  setEnvironment(context, { THIMBLE_BACKEND: `openai:m@${url}/v1` });
  assert.deepEqual(await createEmbeddingFunction({ modelName: 'all-MiniLM-L6-v2', dtype: 'q8', threads: 2 })('a'), vectorOf('a'));
  process.env.THIMBLE_BACKEND = 'openai';
  process.env.OPENAI_BASE_URL = `${url}/v1/`;
  assert.deepEqual(await createEmbeddingFunction({ modelName: 'm' })('a'), vectorOf('a'));
  assert.throws(() => createEmbeddingFunction(), { code: 'invalid_argument', message: /openai: needs a model/ });
  process.env.OLLAMA_HOST = new URL(url).host;
  assert.deepEqual(await createEmbeddingFunction({ backend: 'ollama:m' })('a'), vectorOf('a'));
});

test('keys come from variables and files', async (context) => {
  const { part, backend } = at('cohere');
  const embed = createEmbeddingFunction({ backend });
  const file = join(temporaryFolder(), 'key');
  setEnvironment(context, { CO_API_KEY: 'second' });
  await embed('a');
  process.env.COHERE_API_KEY_FILE = file;
  writeFileSync(file, 'third\n');
  await embed('b');
  writeFileSync(file, 'fourth\n');
  await embed('c');
  assert.deepEqual((await logged(part)).map(({ headers }) => headers.authorization), ['second', 'third', 'fourth'].map((key) => `Bearer ${key}`));
  process.env.COHERE_API_KEY_FILE = `${file}.absent`;
  assert.match((await rejection(embed('d'))).message, /COHERE_API_KEY_FILE: cannot read .*ENOENT/);
  process.env.COHERE_API_KEY = `${KEY}\nX: y`;
  assert.match((await rejection(embed('d'))).message, /the key in COHERE_API_KEY has blanks/);
  clearEnvironment();
  assert.match((await rejection(createEmbeddingFunction({ backend: 'openai:m' })('a'))).message,
    /https:\/\/api\.openai\.com needs a key; set OPENAI_API_KEY, or OPENAI_API_KEY_FILE/);
});

test('options that cannot work are refused by name', async () => {
  const backend = `openai:m@${url}/v1`;
  const refused = (options, code, message) => assert.throws(() => createEmbeddingFunction(options), { code, message });
  refused({ backend: 'gpu' }, 'invalid_argument', /^backend: expected native, mock, mock-hashed, openai:MODEL, tei:URL.*found "gpu"/);
  refused({ backend: 'native:m' }, 'invalid_argument', /found "native:m"/);
  refused({ backend: 'openai' }, 'invalid_argument', /needs a model, as openai:MODEL/);
  refused({ backend: 'tei' }, 'invalid_argument', /tei: base URL: expected http/);
  refused({ backend: 'tei:http://user:word@x' }, 'invalid_argument', /^(?!.*word).*found a user/);
  refused({ backend, modelName: 'other' }, 'invalid_argument', /^modelName: expected "m"/);
  refused({ backend, baseUrl: url }, 'invalid_argument', /^baseUrl: with several/);
  refused({ backend, apiKey: KEY }, 'invalid_argument', /unknown option apiKey/);
  refused({ backend, dimensions: 0 }, 'invalid_argument', /^dimensions/);
  refused({ backend, timeoutMs: 0 }, 'invalid_argument', /^timeoutMs/);
  refused({ backend, space: '' }, 'invalid_argument', /^space/);
  refused({ backend, cache: { maxBytes: 0 } }, 'invalid_argument', /^cache\.maxBytes/);
  refused({ backend, cache: {} }, 'invalid_argument', /^cache\.maxBytes/);
  for (const options of [{ pooling: 'cls' }, { maxTokens: 5 }, { normalize: false }, { longTexts: 'chunk' }, { revision: 'v2' }]) {
    refused({ backend, ...options }, 'unsupported', new RegExp(`^${Object.keys(options)[0]}`));
  }
  refused({ dimensions: 8 }, 'unsupported', /^dimensions: only remote backends/);
  await assert.rejects(Embedder.create('m', { cache: { maxBytes: 1 } }), { code: 'unsupported' });
  await assert.rejects(createEmbeddingFunction({ backend })(['a', '\ud800']), { message: /^texts\[1\]: character 0 is a lone surrogate/ });
});

test('mock is a name of a model, too', async (context) => {
  assert.deepEqual(await createEmbeddingFunction({ modelName: 'mock' })('a'), await mockEmbeddingFunction('a'));
  // A process for tests may set it for functions that are made for a provider.
  setEnvironment(context, { THIMBLE_BACKEND: 'mock' });
  assert.equal((await createEmbeddingFunction({ modelName: 'm', dimensions: 8, timeoutMs: 10 })('a')).length, 384);
});

test("compat: 'brainy' has zeros for blanks", async () => {
  const embed = createEmbeddingFunction({ backend: `openai:m@${url}/v1`, compat: 'brainy' });
  assert.deepEqual(await embed('  '), new Array(8).fill(0));
  assert.deepEqual(await embed(['', 'a']), vectorOf('a'));
});

test('needs no addon', async () => {
  const { code, out, err } = await runModule(`
    import { Embedder } from ${lib('index.mjs')};
    const embedder = await Embedder.create('m', { backend: 'openai', baseUrl: '${url}/v1' });
    console.log((await embedder.embed('a')).join());`, { environment: { THIMBLE_NODE_ADDON: '/nowhere' } });
  assert.equal(err, '');
  assert.equal(code, 0);
  assert.equal(out, `${vectorOf('a').join()}\n`);
});

test('the snippets of docs/backends.md print what they say', async () => {
  const text = readFileSync(join(root, '..', '..', 'docs', 'backends.md'), 'utf8');
  const snippets = [...text.matchAll(/```js\n([^]*?)```\n```\n([^]*?)```/g)];
  assert.equal(snippets.length, 2);
  for (const [, source, expected] of snippets) {
    const { out, err } = await runModule(source.replace(/'thimble'/, lib('index.mjs')), { environment: { OPENAI_BASE_URL: `${url}/v1` } });
    assert.deepEqual([out, err], [expected, '']);
  }
});
