// Every remote backend against thimble serve: vectors are those of the native engine, and failures say what happened.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Embedder, createEmbeddingFunction } from '../lib/index.mjs';
import { KEY, allKeys, dialects, pathOf, rejection } from './provider.mjs';
import { DIMENSIONS, build, modelFolder, need } from './support.mjs';

const { fingerprintOf, namedFingerprint } = createRequire(import.meta.url)('../lib/backends/space.js');
const cli = join(build, 'thimble');
const skip = need(spawnSync(cli, ['serve', '--help']).status === 0, 'the command serve in this build');

const LINES = Array.from({ length: 60 }, (_, i) => `line ${i} of a long file`);
const TEXTS = ['hello', '\u00e9t\u00e9 \u4e2d\u6587', 'hello', ' ', ...LINES];
const LONG = 'a long story '.repeat(100);
const NAMES = Object.keys(dialects);

const folder = modelFolder();
const model = join(folder, 'small-q8.safetensors');
const keys = join(folder, 'keys');
writeFileSync(keys, `${KEY}\n`);
Object.assign(process.env, allKeys);

// A server of this model, on a free port or another; what it says goes to `log`.
async function startServer(...options) {
  const listen = options.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const child = spawn(cli, ['serve', '-m', model, ...listen, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  after(() => child.kill('SIGKILL'));
  const server = { log: '', end: once(child, 'exit'), kill: (signal) => child.kill(signal) };
  await new Promise((resolve, reject) => {
    child.stderr.on('data', (data) => {
      server.log += data;
      server.url ??= /"(http:\/\/127\.0\.0\.1:\d+)"/.exec(server.log)?.[1];
      if (server.url) resolve();
    });
    child.on('exit', (code, signal) => reject(new Error(`the server ended with ${code ?? signal}: ${server.log}`)));
    child.on('error', reject);
  });
  return server;
}

function backendAt(url, name, id = 'test') {
  return name === 'tei' ? `tei:${url}` : `${name}:${id}@${url}${pathOf(name)}`;
}

const bits = (vectors) => Buffer.concat(vectors.map((vector) => Buffer.from(Float32Array.from(vector).buffer)));
const same = (found, expected) => found.length === expected.length && bits(found).equals(bits(expected));
const native = () => Embedder.create(model);
const vectorsOf = async (texts, options) => (await native()).embed(texts, options);

const main = skip || await startServer('--api-key-file', keys, '--max-body', '64KB');
const backends = NAMES.map((name) => [name, backendAt(main.url, name)]);

test('each dialect has the vectors of the model to the bit', { skip }, async () => {
  const prompts = { undefined: undefined, query: 'query', document: 'passage', passage: 'passage' };
  for (const [prompt, nativePrompt] of Object.entries(prompts)) {
    const promptName = prompt === 'undefined' ? undefined : prompt;
    const expected = await vectorsOf(TEXTS, { promptName: nativePrompt });
    for (const [name, backend] of backends) {
      const { inputType, encoding } = dialects[name];
      // The names of TEI's prompts are the model's own, and without an input type Cohere's texts are documents.
      const has = promptName === undefined ? name !== 'cohere'
        : inputType !== null && (name !== 'tei' || promptName === nativePrompt);
      if (!has) continue;
      for (const kind of ['float', 'base64'].filter((kind) => Object.hasOwn(encoding, kind))) {
        const embed = createEmbeddingFunction({ backend, encoding: kind, requestTexts: 13 });
        assert.ok(same(await embed(TEXTS, { promptName }), expected), `${name}, ${kind}, ${promptName}`);
      }
      const always = createEmbeddingFunction({ backend, promptName });
      assert.ok(same(await always(TEXTS.slice(0, 3)), expected.slice(0, 3)), name);
    }
  }
  const cohere = createEmbeddingFunction({ backend: backendAt(main.url, 'cohere') });
  assert.ok(same(await cohere(TEXTS), await vectorsOf(TEXTS, { promptName: 'passage' })));
});

test('reports and streams are those of the model', { skip }, async () => {
  const texts = ['hello', 'two words', LONG];
  const local = await native();
  for (const [name, backend] of backends) {
    const embedder = await Embedder.create(undefined, { backend, requestTexts: 1 });
    const vectors = new Float32Array(texts.length * DIMENSIONS), expected = new Float32Array(vectors.length);
    const promptName = name === 'cohere' ? 'passage' : undefined;
    const known = await local.embedInto(texts, expected, { promptName });
    const reports = await embedder.embedInto(texts, vectors);
    assert.deepEqual(vectors, expected, name);
    // The server's TEI has no counts.
    if (name !== 'tei') assert.deepEqual(reports.map(({ tokens }) => tokens), known.map(({ tokens }) => tokens), name);
    assert.ok(reports.every(({ truncated }) => truncated === undefined), name);
    if (embedder.info.longTexts.includes('error')) {
      const whole = await embedder.embedInto(texts.slice(0, 2), vectors, { longTexts: 'error' });
      assert.ok(whole.every(({ truncated }) => truncated === false), name);
    }
    const streamed = [];
    for await (const { vector } of embedder.embedStream(texts, { batchSize: 2 })) streamed.push(vector);
    assert.ok(same([Float32Array.from(streamed.flatMap((vector) => Array.from(vector)))], [expected]), name);
  }
});

test('dimensions are those of the engine to the bit', { skip }, async () => {
  const plain = await vectorsOf(TEXTS.slice(0, 9), { dimensions: 16 });
  const passage = await vectorsOf(TEXTS.slice(0, 9), { dimensions: 16, promptName: 'passage' });
  for (const [name, backend] of backends) {
    const embed = createEmbeddingFunction({ backend, dimensions: 16 });
    assert.ok(same(await embed(TEXTS.slice(0, 9)), name === 'cohere' ? passage : plain), name);
    if (name === 'ollama') continue;  // Which ignores dimensions that the model has not, so that the reply is refused.
    const error = await rejection(createEmbeddingFunction({ backend, dimensions: 65 })(['a', 'b']));
    assert.equal(error.code, 'invalid_argument');
    assert.match(error.message, /^texts\[0\] to texts\[1\]: .*: status 4\d\d: `(dimensions|output_dimension)`: expected at most 64, found 65/, name);
  }
});

test('errors of each dialect say what happened', { skip }, async () => {
  const failure = async (backend, text, options) => {
    const error = await rejection(createEmbeddingFunction({ backend, ...options })(['fine', text]));
    assert.ok(error.message.startsWith(`texts[0] to texts[1]: ${backend.split(':')[0]}: ${main.url}/`), error.message);
    assert.deepEqual(error.partial, [undefined, undefined]);
    return error;
  };
  for (const [name, backend] of backends) {
    const large = await failure(backend, 'x'.repeat(70_000));
    assert.deepEqual([large.code, large.status], ['invalid_argument', 413]);
    assert.match(large.message, /status 413: the body has more than 64000 bytes$/);
    if (dialects[name].longTexts !== null) {
      const long = await failure(backend, LONG, { longTexts: 'error' });
      assert.equal(long.code, 'invalid_argument');
      assert.match(long.message, /status 4\d\d: .*\d+ tokens, the limit is 64/, name);
    }
    if (name !== 'tei') {
      const unknown = await failure(backendAt(main.url, name, 'nothing'), 'text');
      assert.deepEqual([unknown.code, unknown.status], ['not_found', 404]);
      assert.match(unknown.message, /status 404: .*"nothing" .* test$/, name);
    }
  }
  const prompt = await failure(backendAt(main.url, 'tei'), 'text', { promptName: 'other' });
  assert.match(prompt.message, /status 422: `prompt_name`: .* "other"; it has passage, query$/);
});

test('a key is needed and the right one', { skip }, async (context) => {
  context.after(() => Object.assign(process.env, allKeys));
  for (const [name, backend] of backends) {
    const [variable] = dialects[name].keyVariables;
    process.env[variable] = `not-${KEY}`;
    const wrong = await rejection(createEmbeddingFunction({ backend })('a'));
    assert.deepEqual([wrong.code, wrong.status], ['io', 401]);
    // As the servers that they are of: TEI refuses without a word.
    const why = name === 'tei' ? '' : ': .+';
    assert.match(wrong.message, new RegExp(`status 401${why}; check ${variable}`), name);
    delete process.env[variable];
    const none = await rejection(createEmbeddingFunction({ backend })('a'));
    assert.match(none.message, new RegExp(`status 401${why}; set ${variable}.*, or ${variable}_FILE`), name);
    process.env[`${variable}_FILE`] = keys;
    assert.equal((await createEmbeddingFunction({ backend })('a')).length, DIMENSIONS, name);
    delete process.env[`${variable}_FILE`];
  }
});

test('a model in two dialects is one space where the user says so', { skip }, async () => {
  const fingerprints = await Promise.all(backends.map(async ([name, backend]) => {
    const { info } = await Embedder.create(undefined, { backend });
    assert.deepEqual([info.name, info.dimensions], ['test', DIMENSIONS]);
    assert.equal(info.fingerprint, fingerprintOf(name, main.url, 'test'));
    return info.fingerprint;
  }));
  assert.equal(new Set(fingerprints).size, NAMES.length);
  const { info } = await Embedder.create(undefined, { backend: backendAt(main.url, 'tei') });
  assert.equal(info.maxTokens, (await native()).info.maxTokens);
  const stopped = await startServer();
  const backend = `${backendAt(stopped.url, 'ollama')},${backendAt(main.url, 'tei')},native`;
  const refusal = { code: 'invalid_argument', message: /different vector spaces/ };
  assert.throws(() => createEmbeddingFunction({ backend, modelName: model }), refusal);
  const chain = await Embedder.create(model, { backend, space: 'ours', maxRetries: 0 });
  assert.equal(chain.info.fingerprint, namedFingerprint('ours'));
  const expected = await vectorsOf(TEXTS);
  assert.ok(same(await chain.embed(TEXTS), expected));
  stopped.kill('SIGTERM');
  await stopped.end;
  assert.ok(same(await chain.embed(TEXTS), expected));
});

test('a server that dies within a request is an error, and the vectors before it are kept', { skip }, async () => {
  const server = await startServer();
  const options = { maxRetries: 1, requestTexts: 2, concurrency: 1, cache: { maxBytes: '1MB' } };
  const embedder = await Embedder.create('test', { backend: backendAt(server.url, 'openai'), ...options });
  const expected = await vectorsOf(['a', 'b', 'c', 'd']);
  await embedder.embed(['a', 'b']);
  server.kill('SIGSTOP');
  const call = rejection(embedder.embed(['a', 'b', 'c', 'd']));
  await sleep(200);
  server.kill('SIGKILL');
  const error = await call;
  assert.equal(error.code, 'io');
  assert.match(error.message, /^texts\[2\] to texts\[3\]: openai: http:\/\/127\.0\.0\.1:\d+\/v1\/embeddings: .*ECONNREFUSED/);
  assert.ok(same(error.partial.slice(0, 2), expected.slice(0, 2)));
  assert.deepEqual(error.partial.slice(2), [undefined, undefined]);
});

test('a server that ends or starts again within a call loses and repeats nothing', { skip }, async () => {
  const texts = Array.from({ length: 200 }, (_, i) => `text ${i}`);
  const expected = await vectorsOf(texts);
  const first = await startServer();
  const backend = backendAt(first.url, 'jina');
  const options = { backend, requestTexts: 1, concurrency: 4 };
  const underWay = async (server) => {
    while (server.log.split('\n').length < 10) await sleep(1);
  };
  // What it has accepted is answered.
  const call = rejection(createEmbeddingFunction({ ...options, maxRetries: 0 })(texts));
  await underWay(first);
  first.kill('SIGTERM');
  const error = await call;
  assert.deepEqual(await first.end, [0, null]);
  const found = error.partial.flatMap((vector, i) => (vector ? [i] : []));
  assert.ok(found.length >= 5 && found.length < texts.length, `${found.length} vectors`);
  assert.ok(same(found.map((i) => error.partial[i]), found.map((i) => expected[i])));
  assert.ok(['io', 'overloaded'].includes(error.code), error.message);

  const listen = ['--listen', new URL(first.url).host];
  const second = await startServer(...listen);
  const whole = createEmbeddingFunction({ ...options, maxRetries: 10 })(texts);
  await underWay(second);
  second.kill('SIGTERM');
  await second.end;
  await startServer(...listen);
  assert.ok(same(await whole, expected));
});
