// Rerankers: scores, rankings, pools, errors, and the adapters of LangChain.js and LlamaIndex.TS with their packages.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Document } from '@langchain/core/documents';
import { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors';
import { TextNode } from 'llamaindex';
import { Embedder, ModelPool, Reranker, plan, rerank } from '../lib/index.mjs';
import { ThimbleRerank as LangChainRerank } from '../lib/langchain.mjs';
import { ThimbleRerank as LlamaIndexRerank } from '../lib/llamaindex.mjs';
import { build, modelFolder } from './support.mjs';

const folder = modelFolder();
renameSync(join(folder, 'reranker-q8.safetensors'), join(folder, 'ranks-q8.safetensors'));
const model = 'ranks';
const query = 'a small vector';
const documents = ['a word of text', 'good memory', 'a small vector of words', 'the world', '', ...Array.from({ length: 70 },
  (_, i) => `text ${i} of ${i * i}`)];

// By the command line, in the order of the documents.
function expectedScores(...options) {
  const path = join(folder, 'documents.jsonl');
  writeFileSync(path, documents.map((document) => `${JSON.stringify(document)}\n`).join(''));
  const output = execFileSync(join(build, 'thimble'), ['rerank', '-m', join(folder, 'ranks-q8.safetensors'), '--json', ...options,
    query, path]);
  return JSON.parse(output).sort((a, b) => a.index - b.index).map(({ score }) => Math.fround(score));
}

test('scores are those of the command line, whatever the batch and the threads', async () => {
  const reranker = await Reranker.create(model, { folder });
  const scores = await reranker.scores(query, documents);
  assert.ok(scores instanceof Float32Array);
  assert.deepEqual(Array.from(scores), expectedScores());
  assert.equal((await reranker.scores(query, [documents[2]]))[0], scores[2]);
  assert.deepEqual(await (await Reranker.create(model, { folder, threads: 2 })).scores(query, documents), scores);
  assert.deepEqual(Array.from(await reranker.scores(query, documents, { rawScores: true })), expectedScores('--raw-scores'));
  assert.deepEqual(reranker.info.labels, ['LABEL_0']);
  assert.equal(reranker.info.scoreActivation, 'sigmoid');
  await reranker.unload();
});

test('rank and rerank sort by score', async () => {
  const scores = expectedScores();
  const best = documents.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  const ranked = await rerank(query, documents, { model, folder });
  assert.deepEqual(ranked, best.map((index) => ({ index, score: scores[index] })));
  const reranker = await Reranker.create(model, { folder });
  assert.deepEqual(await reranker.rank(query, documents, { topN: 2, returnDocuments: true }),
    best.slice(0, 2).map((index) => ({ index, score: scores[index], document: documents[index] })));
  assert.deepEqual(await reranker.rank(query, []), []);
});

test('documents are those of the call, whatever becomes of the array', async () => {
  const reranker = await Reranker.create(model, { folder });
  const expected = await reranker.rank(query, documents, { returnDocuments: true });
  const changed = [...documents];
  const ranked = reranker.rank(query, changed, { returnDocuments: true });
  changed.fill(undefined);
  assert.deepEqual(await ranked, expected);
  await assert.rejects(reranker.rank(query, ['a', , 'b']), /^ThimbleError: documents\[1\]: expected a string, found undefined$/);
  await assert.rejects(reranker.scores(query, [, 'b']), /documents\[0\]/);
});

test('a pool has rerankers beside embedders, within its budget', async () => {
  const pool = new ModelPool({ folder, maxMemory: '16MB' });
  const reranker = await pool.getReranker(model);
  const embedder = await pool.getModel('small');
  const [scores] = await Promise.all([reranker.scores(query, documents), embedder.embed('a text')]);
  assert.deepEqual(Array.from(scores), expectedScores());
  const { models, peakMemory } = pool.stats();
  assert.deepEqual(models.map(({ name }) => name).sort(), ['ranks', 'small']);
  const needed = (await plan(model, { folder })).peakBytes + (await plan('small', { folder })).peakBytes;
  assert.ok(peakMemory <= needed, `${peakMemory} of ${needed}`);
  await pool.dispose();
  await assert.rejects(reranker.rank(query, documents), { code: 'invalid_argument' });
});

test('mocks rank by likeness', async () => {
  const ranked = await rerank('rivers of Asia', ['bread', 'rivers of Asia'], { model: 'mock-hashed' });
  assert.deepEqual(ranked.map(({ index }) => index), [1, 0]);
  assert.ok(Math.abs(ranked[0].score - 1) < 1e-6);
});

test('errors', async () => {
  await assert.rejects(Embedder.create(model, { folder }), { code: 'unsupported', message: /is a reranker/ });
  await assert.rejects(Reranker.create('small', { folder }), { code: 'unsupported', message: /is an embedding model/ });
  await assert.rejects(Reranker.create(model, { folder, backend: 'tei:http://127.0.0.1:1' }), { code: 'unsupported' });
  await assert.rejects(Reranker.create('none', { folder }), { code: 'not_found' });
  await assert.rejects(Reranker.create(model, { folder, pooling: 'mean' }), /unknown option pooling/);
  const reranker = await Reranker.create(model, { folder });
  const invalid = (values, message) => assert.rejects(reranker.rank(...values), { code: 'invalid_argument', message });
  await invalid([5, documents], /query: expected a string/);
  await invalid([query, 'text'], /documents: expected an array/);
  await invalid([query, ['a', 5]], /documents\[1\]: expected a string/);
  await invalid([query, ['a', '\ud800']], /documents\[1\]: character 0 is a lone surrogate/);
  await invalid([query, documents, { topN: 0 }], /topN/);
  await invalid([query, documents, { longTexts: 'chunk' }], /longTexts/);
  await invalid([query, documents, { promptName: 'none' }], /prompt/);
  await invalid([query, [...Array(40).fill('a'), 'word '.repeat(100)], { longTexts: 'error' }], /documents\[40\]: /);
  await assert.rejects(reranker.rank(query, documents, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.throws(() => new Reranker(), { code: 'invalid_argument' });
});

test('LangChain.js', async () => {
  const compressor = new LangChainRerank({ model, folder, topN: 3 });
  assert.ok(compressor instanceof BaseDocumentCompressor);
  const given = documents.map((pageContent, i) => new Document({ pageContent, metadata: { i }, id: `${i}` }));
  const found = await compressor.compressDocuments(given, query);
  const ranked = await rerank(query, documents, { model, folder, topN: 3 });
  assert.deepEqual(found.map(({ id, metadata }) => [Number(id), metadata.i, metadata.relevanceScore]),
    ranked.map(({ index, score }) => [index, index, score]));
  assert.equal(given[0].metadata.relevanceScore, undefined);
  for (const Rerank of [LangChainRerank, LlamaIndexRerank]) {
    assert.throws(() => new Rerank({ modelName: model }), /^ThimbleError: options: unknown option modelName, expected model, topN, /);
    assert.throws(() => new Rerank({ topN: 0 }), /topN: expected an integer at least 1, found 0/);
  }
});

test('LlamaIndex.TS', async () => {
  const nodes = documents.map((text) => ({ node: new TextNode({ text }), score: 0 }));
  const found = await new LlamaIndexRerank({ model, folder, topN: 2 }).postprocessNodes(nodes, query);
  const ranked = await rerank(query, documents, { model, folder, topN: 2 });
  assert.deepEqual(found.map(({ node, score }) => [node.getText(), score]),
    ranked.map(({ index, score }) => [documents[index], score]));
  await assert.rejects(new LlamaIndexRerank({ model, folder }).postprocessNodes(nodes), /needs the query/);
});
