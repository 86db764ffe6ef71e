// JavaScript clients of other embedding services against thimble serve: clients.mjs URL KEY EXPECTED, in a folder where
// they are installed. EXPECTED is as in clients.py.

import assert from 'node:assert';
import { readFileSync } from 'node:fs';

const [url, key, file] = process.argv.slice(2);
const expected = JSON.parse(readFileSync(file, 'utf8'));
const { model, texts } = expected;

function same(vectors, name = 'plain') {
  const found = [...vectors].map((vector) => Buffer.from(new Float32Array(vector).buffer).toString('base64'));
  assert.deepStrictEqual(found, expected[name], "other vectors than the command line's");
}

const clients = {
  async openai() {
    const { default: OpenAI } = await import('openai');
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
    const reply = await client.embeddings.create({ model, input: texts }); // Asks for base64.
    same(reply.data.map((item) => item.embedding));
    same((await client.embeddings.create({ model, input: texts, encoding_format: 'float' })).data.map((x) => x.embedding));
    assert.strictEqual((await client.models.retrieve(model)).id, model);
    await assert.rejects(client.embeddings.create({ model: 'none', input: 'x' }), OpenAI.NotFoundError);
    await assert.rejects(client.embeddings.create({ model, input: 'x', dimensions: 8 }), { param: 'dimensions', status: 400 });
    const wrong = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'wrong', maxRetries: 0 });
    await assert.rejects(wrong.embeddings.create({ model, input: 'x' }), OpenAI.AuthenticationError);
  },
  async ollama() {
    const { Ollama } = await import('ollama');
    const client = new Ollama({ host: url, headers: { authorization: `Bearer ${key}` } });
    same((await client.embed({ model, input: texts, keep_alive: '5m' })).embeddings);
    same(await Promise.all(texts.map(async (prompt) => (await client.embeddings({ model, prompt })).embedding)));
    assert.strictEqual((await client.list()).models[0].model, `${model}:latest`);
    assert.strictEqual((await client.ps()).models[0].model, `${model}:latest`);
    await assert.rejects(client.embed({ model: 'none', input: 'x' }), /not found/);
  },
  async 'cohere-ai'() {
    const { CohereClientV2, CohereError } = await import('cohere-ai');
    const client = new CohereClientV2({ environment: url, token: key });
    const embed = (options) => client.embed({ model, texts, embeddingTypes: ['float', 'int8'], ...options },
      { maxRetries: 0 });
    same((await embed({ inputType: 'search_query' })).embeddings.float, 'query');
    same((await embed({ inputType: 'search_document' })).embeddings.float, 'passage');
    await assert.rejects(embed({ inputType: 'search_query', truncate: 'START' }), { statusCode: 400 });
    await assert.rejects(embed({ model: 'none', inputType: 'search_query' }), CohereError);
  },
  async voyageai() {
    const { VoyageAIClient } = await import('voyageai');
    const client = new VoyageAIClient({ environment: `${url}/v1`, apiKey: key });
    const reply = await client.embed({ input: texts, model, inputType: 'query' });
    same(reply.data.map((item) => item.embedding), 'query');
    await assert.rejects(client.embed({ input: 'w '.repeat(5000), model, truncation: false }, { maxRetries: 0 }), { statusCode: 400 });
  },
  async '@langchain/openai'() {
    const { OpenAIEmbeddings } = await import('@langchain/openai');
    const embeddings = new OpenAIEmbeddings({ model, apiKey: key, configuration: { baseURL: `${url}/v1` } });
    same(await embeddings.embedDocuments(texts));
    same([await embeddings.embedQuery(texts[0]), ...(await embeddings.embedDocuments(texts.slice(1)))]);
  },
  async '@llamaindex/openai'() {
    const { OpenAIEmbedding } = await import('@llamaindex/openai');
    const embedding = new OpenAIEmbedding({ model, apiKey: key, baseURL: `${url}/v1` });
    same(await embedding.getTextEmbeddings(texts));
  },
  async '@ai-sdk/openai'() {
    const { createOpenAI } = await import('@ai-sdk/openai');
    const { embedMany } = await import('ai');
    const provider = createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
    const reply = await embedMany({ model: provider.textEmbeddingModel(model), values: texts });
    same(reply.embeddings);
    assert(reply.usage.tokens > 0);
    await assert.rejects(embedMany({ model: provider.textEmbeddingModel('none'), values: texts, maxRetries: 0 }), /does not exist/);
  },
  async '@ai-sdk/openai-compatible'() {
    const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
    const { embedMany } = await import('ai');
    const provider = createOpenAICompatible({ name: 'thimble', baseURL: `${url}/v1`, apiKey: key });
    same((await embedMany({ model: provider.textEmbeddingModel(model), values: texts })).embeddings);
  },
  async '@huggingface/inference'() {
    const { featureExtraction } = await import('@huggingface/inference');
    same(await featureExtraction({ accessToken: key, endpointUrl: url, inputs: texts }));
    await assert.rejects(featureExtraction({ accessToken: 'wrong', endpointUrl: url, inputs: texts }));
  },
};

let failed = 0;
for (const [name, client] of Object.entries(clients)) {
  try {
    await client();
    console.log(`javascript ${name}: ok`);
  } catch (error) {
    failed += 1; // The others are still of interest.
    console.log(`javascript ${name}: ${error.stack}`);
  }
}
process.exit(failed ? 1 : 0);
