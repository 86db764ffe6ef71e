// Remote backends as callers see them: embedders, chains, the cache, the environment and options.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { embeddingFunction } from '../lib/brainy.js';
import { HalfArray, fromHalf, numbersOf, toHalf } from '../lib/half.js';
import { Embedder, ModelPool, createEmbeddingFunction, mockEmbeddingFunction } from '../lib/index.mjs';
import { KEY, clearEnvironment, rejection, serve, setEnvironment, startProvider, vectorOf } from './provider.mjs';
import { lib, root, runModule, temporaryFolder } from './support.mjs';

const require = createRequire(import.meta.url);
const { fingerprintOf, namedFingerprint } = require('../lib/backends/space.js');
const { at, logged, url } = await startProvider();

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

test('a chain names the text that a local backend refuses, and keeps the vectors before it', async () => {
  const base = await serve((request, { input }, reply) => {
    if (input[0] === 'a') reply.end(JSON.stringify({ embeddings: [vectorOf('a', 384)] }));
    else reply.writeHead(500).end();
  });
  const texts = ['a', 'a', ...Array.from({ length: 100 }, (_, i) => `text ${i}`), 'a long story '.repeat(100)];
  const chain = createEmbeddingFunction({ backend: `ollama:m@${base},mock-hashed`, space: 'ours', requestTexts: 1, concurrency: 1,
    maxRetries: 0, maxTokens: 16, longTexts: 'error' });
  const error = await rejection(chain(texts));
  assert.match(error.message, /^texts\[102\]: \d+ tokens, the limit is 16/);
  assert.deepEqual(error.partial.slice(0, 2), [vectorOf('a', 384), vectorOf('a', 384)]);
  const kept = error.partial.slice(2).filter(Boolean);
  assert.ok(kept.length >= 32, `${kept.length} vectors`);
  assert.deepEqual(kept, await createEmbeddingFunction({ backend: 'mock-hashed' })(texts.slice(2, 2 + kept.length)));
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
  assert.match((await rejection(parts(['a', 'b']))).message, /returned vectors of 2 values, expected 8 in this space/);
  const asked = { backend: `mock,ollama:m@${two}`, space: 'ours', dimensions: 2 };
  const cut = (await mockEmbeddingFunction('a')).slice(0, 2).map(Math.fround);
  assert.deepEqual(await createEmbeddingFunction(asked)('a'), cut);
  assert.deepEqual([...await (await Embedder.create('m', asked)).embed('a')], cut);
  const longer = { code: 'invalid_argument', message: /^dimensions: expected 1 to 384/ };
  await assert.rejects(createEmbeddingFunction({ ...asked, dimensions: 385 })('a'), longer);
});

test('an embedder has the same functions with a remote backend', async () => {
  const { part, backend } = at('openai');
  const embedder = await Embedder.create('m', { backend });
  assert.equal(embedder.dimensions, 8);
  assert.deepEqual((await logged(part)).map(({ texts }) => texts.length), [1]);
  const { fingerprint, limits, longTexts, prompts, maxTokens, name } = embedder.info;
  assert.deepEqual({ fingerprint, limits, longTexts, prompts, maxTokens, name },
    { fingerprint: fingerprintOf('openai', url, 'm'), limits: { texts: 256, bytes: 300000 }, longTexts: [], prompts: {}, maxTokens: 0, name: 'm' });
  assert.equal((await Embedder.create('m', { backend: 'openai', dimensions: 8 })).info.maxTokens, 8192);
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
  const failed = await rejection(Embedder.create('m', { backend: at('openai', 'status-400', '').backend }));
  assert.match(failed.message, /^openai: http:.* status 400/);
  assert.equal(failed.partial, undefined);
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
  assert.match((await rejection(embed('d'))).message, /the key in COHERE_API_KEY contains spaces/);
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
  for (const options of [{ normalize: false }, { longTexts: 'chunk' }]) {
    refused({ backend: `native,${backend}`, space: 'ours', ...options }, 'unsupported', new RegExp(`^${Object.keys(options)[0]}`));
  }
  for (const precision of ['int8', 'uint8']) {
    refused({ backend, precision }, 'unsupported', /^precision "u?int8": only the native backend has the range/);
  }
  await assert.rejects(Embedder.create('m', { cache: { maxBytes: 1 } }), { code: 'unsupported' });
  await assert.rejects(createEmbeddingFunction({ backend })(['a', '\ud800']), { message: /^texts\[1\]: character 0 is a lone surrogate/ });
});

test('mock is a name of a model, too', async (context) => {
  assert.deepEqual(await createEmbeddingFunction({ modelName: 'mock' })('a'), await mockEmbeddingFunction('a'));
  // A process for tests may set it for functions that are made for a provider.
  setEnvironment(context, { THIMBLE_BACKEND: 'mock' });
  assert.equal((await createEmbeddingFunction({ modelName: 'm', dimensions: 8, timeoutMs: 10 })('a')).length, 8);
});

test('bits of remote vectors are made here, and a space of their own', async () => {
  const backend = `openai:m@${url}/v1`;
  const bits = (text) => vectorOf(text).reduce((byte, value, i) => byte + (value > 0 ? 128 >> i : 0), 0);
  assert.deepEqual(await createEmbeddingFunction({ backend, precision: 'ubinary' })(['a', 'b']), [[bits('a')], [bits('b')]]);
  const rounded = ['a', 'b'].map((text) => vectorOf(text).map((value) => fromHalf(toHalf(Math.fround(value)))));
  const half = { backend, precision: 'float16' };
  assert.deepEqual(await createEmbeddingFunction(half)(['a', 'b']), rounded);
  const halves = await (await Embedder.create('m', half)).embed(['a', 'b']);
  assert.ok(halves[0] instanceof HalfArray);
  assert.deepEqual(halves.map(numbersOf), rounded);
  const embedder = await Embedder.create('m', { backend, precision: 'binary', cache: { maxBytes: 1e6 } });
  for (const _ of [1, 2]) assert.deepEqual(await embedder.embed('a'), Int8Array.of(bits('a') - 128));
  assert.deepEqual(await embedder.embed('a', { precision: 'float32' }), Float32Array.from(vectorOf('a')));
  assert.notEqual(embedder.info.fingerprint, (await Embedder.create('m', { backend })).info.fingerprint);
  await assert.rejects(embedder.embed('a', { dimensions: 4 }), { code: 'unsupported', message: /^dimensions 4: remote backends have it for all calls/ });
  assert.equal((await embedder.embed('a', { dimensions: 8, precision: 'ubinary' })).length, 1);
});

test('thimble/brainy has zeros for blanks', async () => {
  const embed = embeddingFunction({ backend: `openai:m@${url}/v1` });
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
