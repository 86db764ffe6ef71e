// The adapters with the packages they adapt to.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Embeddings } from '@langchain/core/embeddings';
import { embed, embedMany } from 'ai';
import { ChromaClient } from 'chromadb';
import { Document, Settings, VectorStoreIndex } from 'llamaindex';
import { embeddingFunction } from 'thimble/brainy';
import { embeddingModel } from '../lib/ai.mjs';
import { ThimbleEmbeddingFunction } from '../lib/chroma.mjs';
import { Embedder } from '../lib/index.mjs';
import { ThimbleEmbeddings } from '../lib/langchain.mjs';
import { ThimbleEmbedding } from '../lib/llamaindex.mjs';
import { startProvider, vectorOf } from './provider.mjs';
import { DIMENSIONS, modelFolder } from './support.mjs';

const folder = modelFolder();
const options = { modelName: 'small', folder };
const embedder = await Embedder.create('small', { folder });
const expected = async (text) => Array.from(await embedder.embed(text));

test('LangChain.js', async () => {
  const embeddings = new ThimbleEmbeddings({ ...options, maxConcurrency: 2 });
  assert.ok(embeddings instanceof Embeddings);
  assert.deepEqual(await embeddings.embedQuery('a text'), await expected('a text'));
  assert.deepEqual(await embeddings.embedDocuments(['one', 'two']), [await expected('one'), await expected('two')]);
});

test('LangChain.js tries again only what may succeed then', async () => {
  const begin = Date.now();
  await assert.rejects(new ThimbleEmbeddings({ modelName: 'none', folder }).embedQuery('a'), { code: 'not_found' });
  await assert.rejects(new ThimbleEmbeddings(options).embedDocuments(['a', 42]), { code: 'invalid_argument' });
  assert.ok(Date.now() - begin < 900, 'the first retry of LangChain comes after a second');
  const attempts = [];
  const onFailedAttempt = ({ code }) => attempts.push(code);
  await assert.rejects(new ThimbleEmbeddings({ modelName: 'none', folder, maxRetries: 1, onFailedAttempt }).embedQuery('a'));
  assert.deepEqual(attempts, ['not_found', 'not_found']);
});

test("LangChain.js with the model's prompts", async () => {
  const embeddings = new ThimbleEmbeddings({ ...options, prompts: true });
  assert.deepEqual(await embeddings.embedQuery('a text'), await expected('query: a text'));
  assert.deepEqual(await embeddings.embedDocuments(['one']), [await expected('passage: one')]);
});

test('Vercel AI SDK', async () => {
  const model = embeddingModel('small', { folder });
  const one = await embed({ model, value: 'a text' });
  assert.deepEqual(one.embedding, await expected('a text'));
  assert.equal(one.usage.tokens, (await embedder.embedTokens('a text')).tokens);
  const values = Array.from({ length: 3000 }, (_, i) => `text ${i % 7}`);
  const many = await embedMany({ model, values });
  assert.equal(many.embeddings.length, 3000);
  assert.deepEqual(many.embeddings[2999], await expected(values[2999]));
  await assert.rejects(embed({ model, value: 'a text', abortSignal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('LlamaIndex.TS', async () => {
  Settings.embedModel = new ThimbleEmbedding({ modelName: 'small', folder });
  assert.deepEqual(await Settings.embedModel.getTextEmbedding('a text'), await expected('a text'));
  const texts = ['a small vector', 'the memory of a river', 'good words'];
  const index = await VectorStoreIndex.fromDocuments(texts.map((text) => new Document({ text })));
  const found = await index.asRetriever({ similarityTopK: 1 }).retrieve({ query: texts[1] });
  assert.equal(found[0].node.getText(), texts[1]);
  assert.ok(Math.abs(found[0].score - 1) < 1e-4);
});

// What of Chroma's HTTP interface its client needs here. The server in npm's package asks for a newer C library than
// Debian 12 has.
function chromaServer() {
  const collections = new Map();
  const requests = [];
  const routes = [
    [/\/auth\/identity$/, () => ({ user_id: '', tenant: 'default_tenant', databases: ['default_database'] })],
    [/\/pre-flight-checks$/, () => ({ max_batch_size: 1000 })],
    [/\/collections$/, ({ name, metadata, configuration }) => {
      const collection = { id: `00000000-0000-4000-8000-00000000000${collections.size}`, name, metadata: metadata ?? null,
        configuration_json: configuration ?? {}, tenant: 'default_tenant', database: 'default_database', dimension: null,
        log_position: 0, version: 0 };
      collections.set(name, collection);
      return collection;
    }],
    [/\/collections\/[a-z]+$/, (_, url) => collections.get(url.split('/').at(-1))],
    [/\/add$/, () => ({})],
    [/\/query$/, () => ({ ids: [['a']], embeddings: null, documents: [['x']], metadatas: [[null]], distances: [[0]], uris: null,
      include: ['documents', 'distances'] })],
  ];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    const body = text === '' ? {} : JSON.parse(text);
    const path = request.url.split('?')[0];
    requests.push({ path, body });
    const [, answer] = routes.find(([pattern]) => pattern.test(path)) ?? [];
    response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ? answer(body, path) : { error: 'not_found', message: path }));
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({ server, requests })));
}

test('Chroma', async () => {
  const { server, requests } = await chromaServer();
  try {
    const client = new ChromaClient({ host: '127.0.0.1', port: server.address().port, ssl: false });
    const embeddingFunction = new ThimbleEmbeddingFunction({ ...options, dtype: 'q8' });
    const collection = await client.createCollection({ name: 'texts', embeddingFunction });
    const configured = JSON.stringify(requests.find(({ path }) => path.endsWith('/collections')).body);
    assert.match(configured, /"name":"thimble"/);
    assert.match(configured, /"model_name":"small"/);
    assert.match(configured, /cosine/);
    await collection.add({ ids: ['a', 'b'], documents: ['one', 'two'] });
    await collection.query({ queryTexts: ['one'], nResults: 1 });
    const sent = (end) => requests.find(({ path }) => path.endsWith(end)).body;
    const decode = (vector) => typeof vector === 'string'
      ? Array.from(new Float32Array(Uint8Array.from(Buffer.from(vector, 'base64')).buffer)) : vector;
    const [one, two] = sent('/add').embeddings.map(decode);
    assert.deepEqual([one, two], [await expected('one'), await expected('two')]);
    assert.deepEqual(decode(sent('/query').query_embeddings[0]), one);
    // A collection knows its function by name: who gets it again needs to name none.
    process.env.THIMBLE_HOME = folder;
    const again = await client.getCollection({ name: 'texts' });
    requests.length = 0;
    await again.query({ queryTexts: ['two'], nResults: 1 });
    assert.deepEqual(decode(sent('/query').query_embeddings[0]), two);
    assert.throws(() => embeddingFunction.validateConfigUpdate({ dtype: 'q4' }), /cannot change from q8 to q4/);
  } finally {
    delete process.env.THIMBLE_HOME;
    server.closeAllConnections();
    server.close();
  }
  assert.equal((await new ThimbleEmbeddingFunction(options).generate(['one']))[0].length, DIMENSIONS);
});

test('Brainy', async () => {
  const embed = embeddingFunction(options);
  assert.deepEqual(await embed('memory'), await expected('memory'));
  assert.deepEqual(await embed(['  ', '', 'memory', 'other']), await expected('memory'));
  for (const blank of ['', '  \n', [], ['', ' ']]) assert.deepEqual(await embed(blank), new Array(DIMENSIONS).fill(0));
  for (const wrong of [{ text: 'a' }, 7, null, undefined, ['a', 7]]) {
    await assert.rejects(embed(wrong), { code: 'invalid_argument', message: /^data: expected a string/ });
  }
  await assert.rejects(embed('a', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal((await Promise.all(['a', 'b'].map(embed))).length, 2);  // The second argument is an index.
  assert.throws(() => embeddingFunction({ modelname: 'x' }), /unknown option modelname/);
  assert.equal(createRequire(import.meta.url)('thimble/brainy').embeddingFunction, embeddingFunction);
});

test('adapters take remote backends', async () => {
  const { at, logged } = await startProvider();
  const { part, backend } = at('cohere');
  const langchain = new ThimbleEmbeddings({ backend, prompts: true });
  assert.deepEqual(await langchain.embedQuery('a'), vectorOf('search_query: a'));
  assert.deepEqual(await langchain.embedDocuments(['a']), [vectorOf('search_document: a')]);
  assert.equal((await logged(part)).length, 3);  // And one for the dimensions.
  const { embedding, usage } = await embed({ model: embeddingModel('m', { backend: at('openai').backend }), value: 'four' });
  assert.deepEqual([embedding, usage.tokens], [vectorOf('four'), 4]);
  const chroma = new ThimbleEmbeddingFunction({ backend, dimensions: 4 });
  assert.deepEqual(chroma.getConfig(), { backend, dimensions: 4 });
  assert.deepEqual(await ThimbleEmbeddingFunction.buildFromConfig(chroma.getConfig()).generate(['a']), [vectorOf('search_document: a', 4)]);
});
