// The clients of npm against `thimble serve`; tests/clients/run.sh starts it and sets the environment.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { CohereEmbeddingFunction } from '@chroma-core/cohere';
import { HuggingfaceServerEmbeddingFunction } from '@chroma-core/huggingface-server';
import { JinaEmbeddingFunction } from '@chroma-core/jina';
import { OllamaEmbeddingFunction } from '@chroma-core/ollama';
import { OpenAIEmbeddingFunction } from '@chroma-core/openai';
import { VoyageAIEmbeddingFunction } from '@chroma-core/voyageai';
import { InferenceClient } from '@huggingface/inference';
import { OpenAIEmbeddings } from '@langchain/openai';
import { OpenAIEmbedding } from '@llamaindex/openai';
import { APICallError, embed, embedMany } from 'ai';
import { CohereClient, CohereClientV2, CohereError } from 'cohere-ai';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { VoyageAIClient, VoyageAIError } from 'voyageai';

const { THIMBLE_URL: url, THIMBLE_KEY: key, THIMBLE_CLI: cli, THIMBLE_MODEL: model } = process.env;
const width = 64;
// The last one is longer than the model's limit.
const texts = ['the cat sleeps', 'a dog, "a bird" & \u00e9\u732b\u{1f408}', 'word '.repeat(1000)];

const needsKey = /this server needs an API key/;
const noModel = /The model "none" does not exist; this server has: test/;
const tooWide = /`dimensions`: expected at most 64, found 65/;
const empty = /`input`: cannot be an empty string/;

// The vectors of the command line.
function vectors(some, prompt = '') {
  const out = execFileSync(cli, ['embed', '-m', model, '--format', 'f32', '--prompt-name', prompt, '--', ...some]);
  const all = new Float32Array(out.buffer.slice(out.byteOffset, out.byteOffset + out.length));
  return some.map((_, i) => all.subarray(i * width, (i + 1) * width));
}

// Of vectors that came as decimals: the same once they are float32.
function checkBits(found, expected) {
  assert.deepEqual(found.map((vector) => new Float32Array(vector)), expected.map((vector) => new Float32Array(vector)));
}

// Of vectors that came as bytes: the same as doubles too, which decimals of float32 are not.
function checkBase64(found, expected) {
  assert.deepEqual(found.map((vector) => [...vector]), expected.map((vector) => [...vector]));
}

function checkCut(found, expected, dimensions) {
  found.forEach((vector, i) => {
    const cut = [...expected[i].subarray(0, dimensions)];
    const length = Math.hypot(...cut);
    assert.equal(vector.length, dimensions);
    vector.forEach((value, k) => assert.ok(Math.abs(value - cut[k] / length) < 1e-6));
  });
}

const fromBase64 = (some) =>
  some.map((text) => new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer));

const packBits = (vector) =>
  Array.from({ length: width / 8 }, (_, i) => vector.subarray(8 * i, 8 * i + 8).reduce((byte, x) => 2 * byte + (x > 0), 0));

test('openai', async () => {
  const client = (apiKey = key) => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
  const create = (options, apiKey) => client(apiKey).embeddings.create({ model: 'test', input: 'a', ...options });
  const reply = await create({ input: texts });
  checkBase64(reply.data.map((item) => item.embedding), vectors(texts));
  assert.deepEqual(reply.data.map((item) => item.index), [0, 1, 2]);
  assert.ok(reply.usage.prompt_tokens > width && reply.usage.total_tokens === reply.usage.prompt_tokens);
  const one = await create({ input: texts[0], encoding_format: 'float' });
  checkBits([one.data[0].embedding], vectors(texts.slice(0, 1)));
  const cut = await create({ input: texts, dimensions: 16 });
  checkCut(cut.data.map((item) => item.embedding), vectors(texts), 16);

  assert.deepEqual((await client().models.list()).data.map((entry) => entry.id), ['test', 'reranker']);
  assert.equal((await client().models.retrieve('test')).id, 'test');
  await assert.rejects(client().models.retrieve('none'), OpenAI.NotFoundError);

  const check = (call, type, message, fields) =>
    assert.rejects(call, (error) => {
      assert.ok(error instanceof type, error);
      assert.match(error.message, message);
      assert.ok(error.requestID);
      for (const [name, value] of Object.entries(fields)) assert.equal(error[name], value);
      return true;
    });
  await check(create({}, 'wrong'), OpenAI.AuthenticationError, needsKey, { status: 401, code: 'invalid_api_key' });
  await check(create({ model: 'none' }), OpenAI.NotFoundError, noModel, { code: 'model_not_found', param: 'model' });
  await check(create({ dimensions: 65 }), OpenAI.BadRequestError, tooWide, { param: 'dimensions' });
  await check(create({ input: '' }), OpenAI.BadRequestError, empty, { type: 'invalid_request_error', param: 'input' });
  await check(create({ input: [1, 2] }), OpenAI.BadRequestError, /token ids are not taken/, { param: 'input' });
  await check(create({ encoding_format: 'md5' }), OpenAI.BadRequestError, /'float', 'base64'/, { code: null });
});

test('ollama', async () => {
  const client = (word = key) => new Ollama({ host: url, headers: { Authorization: `Bearer ${word}` } });
  const reply = await client().embed({ model: 'test', input: texts });
  checkBits(reply.embeddings, vectors(texts));
  assert.ok(reply.model === 'test' && reply.prompt_eval_count > width && reply.total_duration > 0);
  const one = await client().embed({ model: 'test:latest', input: texts[0], keep_alive: '5m' });
  checkBits(one.embeddings, vectors(texts.slice(0, 1)));
  checkCut((await client().embed({ model: 'test', input: texts, dimensions: 16 })).embeddings, vectors(texts), 16);
  assert.deepEqual((await client().embed({ model: 'test', input: [] })).embeddings, []);
  const old = await client().embeddings({ model: 'test', prompt: texts[0] });
  checkBits([old.embedding], vectors(texts.slice(0, 1)));

  assert.deepEqual((await client().list()).models.map((entry) => entry.name), ['test:latest', 'reranker:latest']);
  assert.ok((await client().ps()).models.some((entry) => entry.name === 'test:latest'));
  const shown = await client().show({ model: 'test' });
  assert.deepEqual(shown.capabilities, ['embedding']);
  assert.equal(shown.model_info['bert.embedding_length'], width);
  assert.match((await client().version()).version, /^\d+\.\d+\.\d+/);

  const check = (call, status, message) =>
    assert.rejects(call, (error) => {
      assert.deepEqual([error.name, error.status_code], ['ResponseError', status]);
      assert.match(error.message, message);
      return true;
    });
  await check(client('wrong').embed({ model: 'test', input: 'a' }), 401, needsKey);
  await check(client().embed({ model: 'none', input: 'a' }), 404, /model "none" not found/);
  await check(client().show({ model: 'none' }), 404, /model "none" not found/);
  await check(client().embed({ model: 'test', input: texts[2], truncate: false }), 400, /exceeds the context length/);
  await check(client().embed({ model: 'test', input: [1] }), 400, /`input`/);
});

test('cohere-ai', async () => {
  const client = (token = key) => new CohereClientV2({ token, environment: url });
  const request = (options, token) =>
    client(token).embed({ model: 'test', inputType: 'classification', texts, ...options }, { maxRetries: 0 });
  const reply = await request({ inputType: 'search_document', embeddingTypes: ['float'] });
  checkBits(reply.embeddings.float, vectors(texts, 'passage'));
  assert.deepEqual(reply.texts, texts);
  assert.ok(reply.meta.billedUnits.inputTokens > width);
  checkBits((await request({ inputType: 'search_query' })).embeddings.float, vectors(texts, 'query'));
  checkCut((await request({ outputDimension: 16 })).embeddings.float, vectors(texts), 16);
  const types = (await request({ embeddingTypes: ['base64', 'int8', 'uint8', 'binary', 'ubinary'] })).embeddings;
  checkBase64(fromBase64(types.base64), vectors(texts));
  const bits = vectors(texts).map(packBits);
  assert.deepEqual(types.ubinary, bits);
  assert.deepEqual(types.binary, bits.map((vector) => vector.map((byte) => byte - 128)));
  types.int8.forEach((vector, i) => {
    assert.ok(vector.length === width && vector.every((value) => value >= -128 && value <= 127));
    assert.deepEqual(types.uint8[i], vector.map((value) => value + 128));
  });

  const check = (call, status, message) =>
    assert.rejects(call, (error) => {
      assert.ok(error instanceof CohereError, error);
      assert.equal(error.statusCode, status);
      assert.match(error.body.message, message);
      return true;
    });
  await check(request({}, 'wrong'), 401, needsKey);
  await check(request({ model: 'none' }), 404, noModel);
  await check(request({ outputDimension: 65 }), 400, /found 65/);
  await check(request({ truncate: 'NONE' }), 400, /tokens/);

  const old = (options) =>
    new CohereClient({ token: key, environment: url }).embed({ model: 'test', texts, ...options }, { maxRetries: 0 });
  checkBits((await old({})).embeddings, vectors(texts));
  checkBits((await old({ inputType: 'search_query', embeddingTypes: ['float'] })).embeddings.float, vectors(texts, 'query'));
  await check(old({ model: 'none' }), 404, noModel);

  const documents = ['a word of text', 'good memory', 'a small vector of words'];
  const ranked = await client().rerank({ model: 'reranker', query: 'a cat', documents, topN: 2 });
  assert.equal(ranked.results.length, 2);
  assert.ok(ranked.results[0].relevanceScore >= ranked.results[1].relevanceScore);
  await check(client().rerank({ model: 'test', query: 'a', documents }, { maxRetries: 0 }), 500, /is an embedding model/);
});

test('voyageai', async () => {
  const client = (apiKey = key) => new VoyageAIClient({ apiKey, environment: `${url}/v1`, maxRetries: 0 });
  const request = (options, apiKey) => client(apiKey).embed({ model: 'test', input: texts, ...options });
  const reply = await request({});
  checkBits(reply.data.map((item) => item.embedding), vectors(texts));
  assert.ok(reply.usage.totalTokens > width);
  const query = await request({ inputType: 'query' });
  checkBits(query.data.map((item) => item.embedding), vectors(texts, 'query'));
  const packed = await request({ input: texts[0], encodingFormat: 'base64' });
  checkBase64(fromBase64([packed.data[0].embedding]), vectors(texts.slice(0, 1)));
  const bits = await request({ outputDtype: 'ubinary' });
  assert.deepEqual(bits.data.map((item) => item.embedding), vectors(texts).map(packBits));
  const cut = await request({ outputDimension: 16 });
  checkCut(cut.data.map((item) => item.embedding), vectors(texts), 16);

  const documents = ['a word of text', 'good memory', 'a small vector of words'];
  const ranked = await client().rerank({ model: 'reranker', query: 'a cat', documents, returnDocuments: true });
  assert.equal(ranked.data.length, 3);
  for (const { index, relevanceScore, document } of ranked.data) {
    assert.equal(document, documents[index]);
    assert.ok(relevanceScore > 0 && relevanceScore < 1);
  }

  const check = (call, status, message) =>
    assert.rejects(call, (error) => {
      assert.ok(error instanceof VoyageAIError, error);
      assert.equal(error.statusCode, status);
      assert.match(error.body.detail, message);
      return true;
    });
  await check(request({}, 'wrong'), 401, needsKey);
  await check(request({ model: 'none' }), 404, noModel);
  await check(request({ input: '' }), 400, empty);
  await check(request({ truncation: false }), 400, /tokens/);
});

test('@langchain/openai', async () => {
  const embeddings = (options, apiKey = key) =>
    new OpenAIEmbeddings({ model: 'test', apiKey, maxRetries: 0, ...options, configuration: { baseURL: `${url}/v1` } });
  checkBits(await embeddings().embedDocuments(texts), vectors(texts));
  checkBits([await embeddings().embedQuery(texts[0])], vectors(texts.slice(0, 1)));
  // Which it hands on as they came.
  checkBase64(fromBase64(await embeddings({ encodingFormat: 'base64' }).embedDocuments(texts)), vectors(texts));
  checkCut(await embeddings({ dimensions: 16 }).embedDocuments(texts), vectors(texts), 16);
  await assert.rejects(embeddings({}, 'wrong').embedQuery('a'), { status: 401, message: needsKey });
  await assert.rejects(embeddings({ model: 'none' }).embedQuery('a'), { status: 404, message: noModel });
  await assert.rejects(embeddings({ dimensions: 65 }).embedDocuments(['a']), { status: 400, message: tooWide });
});

test('@llamaindex/openai', async () => {
  const embedding = (options, apiKey = key) =>
    new OpenAIEmbedding({ model: 'test', apiKey, baseURL: `${url}/v1`, maxRetries: 0, ...options });
  checkBase64(await embedding().getTextEmbeddings(texts), vectors(texts));
  checkBase64([await embedding().getTextEmbedding(texts[0])], vectors(texts.slice(0, 1)));
  checkCut(await embedding({ dimensions: 16 }).getTextEmbeddings(texts), vectors(texts), 16);
  await assert.rejects(embedding({}, 'wrong').getTextEmbedding('a'), { status: 401, message: needsKey });
  await assert.rejects(embedding({ model: 'none' }).getTextEmbedding('a'), { status: 404, message: noModel });
  await assert.rejects(embedding().getTextEmbedding(''), { status: 400, message: empty });
});

for (const [name, create] of [
  ['@ai-sdk/openai', (apiKey) => createOpenAI({ apiKey, baseURL: `${url}/v1` })],
  ['@ai-sdk/openai-compatible', (apiKey) => createOpenAICompatible({ name: 'thimble', apiKey, baseURL: `${url}/v1` })],
]) {
  test(name, async () => {
    const options = (id = 'test', apiKey = key) => ({ model: create(apiKey).embeddingModel(id), maxRetries: 0 });
    const many = await embedMany({ ...options(), values: texts });
    checkBits(many.embeddings, vectors(texts));
    assert.ok(many.usage.tokens > width);
    checkBits([(await embed({ ...options(), value: texts[0] })).embedding], vectors(texts.slice(0, 1)));
    const provider = name === '@ai-sdk/openai' ? 'openai' : 'thimble';
    const cut = (dimensions) =>
      embedMany({ ...options(), values: texts, providerOptions: { [provider]: { dimensions } } });
    checkCut((await cut(16)).embeddings, vectors(texts), 16);

    const check = (call, status, message) =>
      assert.rejects(call, (error) => {
        assert.ok(APICallError.isInstance(error), error);
        assert.deepEqual([error.statusCode, error.isRetryable], [status, false]);
        assert.match(error.message, message);
        return true;
      });
    await check(embed({ ...options('test', 'wrong'), value: 'a' }), 401, needsKey);
    await check(embed({ ...options('none'), value: 'a' }), 404, noModel);
    await check(embed({ ...options(), value: '' }), 400, empty);
    await check(cut(65), 400, tooWide);
  });
}

test('@huggingface/inference', async () => {
  const client = (path = '/embed', token = key) => new InferenceClient(token, { endpointUrl: url + path });
  for (const path of ['', '/', '/embed']) {
    checkBits(await client(path).featureExtraction({ inputs: texts }), vectors(texts));
  }
  checkBits(await client().featureExtraction({ inputs: texts[0], normalize: true }), vectors(texts.slice(0, 1)));
  checkBits(await client().featureExtraction({ inputs: texts, prompt_name: 'query' }), vectors(texts, 'query'));
  checkCut(await client().featureExtraction({ inputs: texts, dimensions: 16 }), vectors(texts), 16);
  const inputs = { source_sentence: texts[0], sentences: texts.slice(1) };
  const scores = await client('/similarity').sentenceSimilarity({ inputs });
  const [source, ...others] = vectors(texts);
  others.forEach((other, i) => {
    assert.ok(Math.abs(scores[i] - other.reduce((sum, x, k) => sum + x * source[k], 0)) < 1e-6);
  });

  const check = (call, status, message) =>
    assert.rejects(call, (error) => {
      assert.deepEqual([error.name, error.httpResponse.status], ['ProviderApiError', status]);
      assert.match(JSON.stringify(error.httpResponse.body), message);
      return true;
    });
  // Without a body, as the service itself.
  await check(client('/embed', 'wrong').featureExtraction({ inputs: 'a' }), 401, /^""$/);
  await check(client().featureExtraction({ inputs: 'a', prompt_name: 'none' }), 422, /no prompt named/);
  await check(client().featureExtraction({ inputs: 'a', dimensions: 65 }), 422, /found 65/);
  await check(client().featureExtraction({ inputs: '' }), 400, /cannot be empty/);
});

// Chroma, whose functions wrap the clients above, and Jina, which has no other client.

test('@chroma-core/openai', async () => {
  const options = { modelName: 'test', apiBase: `${url}/v1`, apiKey: key };
  const generate = (more) => new OpenAIEmbeddingFunction({ ...options, ...more }).generate(texts);
  checkBase64(await generate(), vectors(texts));
  checkCut(await generate({ dimensions: 16 }), vectors(texts), 16);
  await assert.rejects(generate({ apiKey: 'wrong' }), { status: 401, message: needsKey });
  await assert.rejects(generate({ modelName: 'none' }), { status: 404, message: noModel });
});

test('@chroma-core/ollama', async (t) => {
  // It has no way to send a key.
  const fetched = globalThis.fetch;
  t.mock.method(globalThis, 'fetch', (address, options) =>
    fetched(address, { ...options, headers: { ...options.headers, Authorization: `Bearer ${key}` } }));
  const generate = (name) => new OllamaEmbeddingFunction({ url, model: name }).generate(texts);
  checkBits(await generate('test'), vectors(texts));
  await assert.rejects(generate('none'), { name: 'ResponseError', message: /model "none" not found/ });
});

test('@chroma-core/cohere', async () => {
  const made = new CohereEmbeddingFunction({ modelName: 'test', apiKey: key });
  made.client = new CohereClient({ token: key, environment: url });
  checkBits(await made.generate(texts), vectors(texts, 'passage'));
});

test('@chroma-core/voyageai', async () => {
  const generate = (apiKey = key) => {
    const made = new VoyageAIEmbeddingFunction({ modelName: 'test', apiKey });
    made.client = new VoyageAIClient({ apiKey, environment: `${url}/v1`, maxRetries: 0 });
    return made.generate(texts);
  };
  checkBits(await generate(), vectors(texts));
  await assert.rejects(generate('wrong'), { statusCode: 401, message: needsKey });
});

test('@chroma-core/huggingface-server', async () => {
  const generate = (apiKey = key) =>
    new HuggingfaceServerEmbeddingFunction({ url: `${url}/embed`, apiKey }).generate(texts);
  checkBits(await generate(), vectors(texts));
  await assert.rejects(generate('wrong'), /Unauthorized/);
});

test('@chroma-core/jina', async () => {
  const generate = (options) => {
    const made = new JinaEmbeddingFunction({ modelName: 'test', apiKey: key, ...options });
    made.url = `${url}/v1/embeddings`;
    return made.generate(texts);
  };
  checkBits(await generate(), vectors(texts));
  const passages = await generate({ task: 'retrieval.passage', truncate: true, normalized: true, lateChunking: false });
  checkBits(passages, vectors(texts, 'passage'));
  checkCut(await generate({ dimensions: 16, embeddingType: 'float' }), vectors(texts), 16);
  // It keeps the server's words to itself.
  await assert.rejects(generate({ apiKey: 'wrong' }), /Failed to generate jina embedding data/);
});
