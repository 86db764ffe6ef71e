// Embedder: what it returns, whatever way it is asked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Embedder, createEmbeddingFunction } from '../lib/index.mjs';
import { DIMENSIONS, cosine, modelFolder, words } from './support.mjs';

const folder = modelFolder();
const open = (options = {}) => Embedder.create('small', { folder, ...options });

test('a constructor in place of create() is refused', () => {
  for (const wrong of ['small', undefined, {}]) {
    assert.throws(() => new Embedder(wrong), { code: 'invalid_argument', message: /await Embedder\.create/ });
  }
});

test('says what the model is', async () => {
  const { info, dimensions } = await open({ dtype: 'q4' });
  assert.equal(dimensions, DIMENSIONS);
  assert.deepEqual(
    { name: info.name, dtype: info.dtype, maxTokens: info.maxTokens, pooling: info.pooling, normalize: info.normalize },
    { name: 'test', dtype: 'q4', maxTokens: 64, pooling: 'mean', normalize: true });
  assert.throws(() => { info.name = 'x'; }, TypeError);
  assert.throws(() => { info.prompts.x = 'x'; }, TypeError);
  assert.throws(() => { info.unrelatedCosines.quantiles.push('x'); }, TypeError);
});

test('says how unusual a cosine is', async () => {
  const embedder = await open();
  const { pairs, quantiles } = embedder.info.unrelatedCosines;
  assert.ok(pairs > 1000);
  for (const { share, cosine: at } of quantiles) {
    if (share < 1) assert.ok(Math.abs(embedder.percentile(at) - 100 * share) < 1e-9);
  }
  const [low, high] = quantiles.slice(5, 7);
  const middle = embedder.percentile((low.cosine + high.cosine) / 2);
  assert.ok(Math.abs(middle - 50 * (low.share + high.share)) < 1e-9);
  assert.equal(embedder.percentile(quantiles[0].cosine - 0.1), 0);
  assert.ok(embedder.percentile(2) < 100 && embedder.percentile(2) > 99.9);
  assert.ok(Number.isNaN(embedder.percentile(NaN)));
  assert.throws(() => embedder.percentile('0.5'), { code: 'invalid_argument' });
  assert.equal((await Embedder.create('mock')).percentile(0.5), undefined);
  // Of the model's own pooling, over the whole length.
  assert.equal((await open({ pooling: 'mean', dimensions: DIMENSIONS })).percentile(low.cosine), 100 * low.share);
  assert.equal((await open({ pooling: 'cls' })).percentile(low.cosine), undefined);
});

test('embeds a text, an array and nothing', async () => {
  const embedder = await open();
  const one = await embedder.embed('a small vector');
  assert.ok(one instanceof Float32Array);
  assert.equal(one.length, DIMENSIONS);
  assert.ok(Math.abs(cosine(one, one) - 1) < 1e-6);
  const many = await embedder.embed(['memory', 'a small vector', '']);
  assert.equal(many.length, 3);
  assert.deepEqual(many[1], one);
  assert.equal(many[2].length, DIMENSIONS);
  assert.deepEqual(await embedder.embed([]), []);
});

test('texts are those of the call, whatever becomes of the array', async () => {
  const embedder = await open();
  const texts = Array.from({ length: 200 }, (_, i) => `text ${i}`);
  const expected = await embedder.embed(texts);
  const changed = [...texts];
  const call = embedder.embed(changed);
  changed.fill(7, 1);
  changed.length = 100;
  assert.deepEqual(await call, expected);
  const embed = createEmbeddingFunction({ modelName: 'small', folder });
  const batch = ['a small vector'];
  const first = embed(batch);
  batch.length = 0;
  assert.equal((await first).length, 1);
});

test('gives the same bits in one call, in many, at once on this thread, and with two threads', async () => {
  const texts = Array.from({ length: 300 }, (_, i) => `${words(i % 40)} ${i}`);
  const embedder = await open();
  const all = await embedder.embed(texts);
  const pair = await open({ threads: 2 });
  assert.deepEqual(await pair.embed(texts), all);
  assert.deepEqual(embedder.embedSync(texts), all);
  assert.deepEqual(embedder.embedSync(texts[7]), all[7]);
  const alone = await Promise.all(texts.map((text) => embedder.embed(text)));
  assert.deepEqual(alone, all);
});

test('writes into arrays of the caller, also shared ones, and reports', async () => {
  const embedder = await open({ maxTokens: 8 });
  const texts = ['a', words(50), 'memory of a vector'];
  const expected = await embedder.embed(texts);
  const target = new Float32Array(4 * DIMENSIONS).fill(9);
  const reports = await embedder.embedInto(texts, target);
  assert.deepEqual(reports.map((report) => report.truncated), [false, true, false]);
  assert.equal(reports[1].tokens, 8);
  assert.ok(reports[0].tokens >= 3);
  texts.forEach((_, i) => assert.deepEqual(target.slice(i * DIMENSIONS, (i + 1) * DIMENSIONS), expected[i]));
  assert.equal(target[3 * DIMENSIONS], 9);

  const shared = new Float32Array(new SharedArrayBuffer(4 * 3 * DIMENSIONS));
  await embedder.embedInto(texts, shared);
  assert.deepEqual([...shared], [...target.subarray(0, 3 * DIMENSIONS)]);
  const inside = new Float32Array(new ArrayBuffer(4 * 4 * DIMENSIONS), 4 * DIMENSIONS);
  await embedder.embedInto(texts, inside);
  assert.deepEqual(inside, target.slice(0, 3 * DIMENSIONS));
});

test('pools and normalises as a call or its options say', async () => {
  const embedder = await open({ dtype: 'fp32' });
  const text = 'a small vector of memory';
  const cls = await embedder.embed(text, { pooling: 'cls', normalize: false });
  const { tokens, vectors } = await embedder.embedTokens(text);
  assert.equal(vectors.length, tokens * DIMENSIONS);
  assert.deepEqual(vectors.slice(0, DIMENSIONS), cls);
  assert.deepEqual(await embedder.embed(text, { pooling: 'last', normalize: false }), vectors.slice(-DIMENSIONS));
  const own = await open({ dtype: 'fp32', pooling: 'cls', normalize: false });
  assert.deepEqual(await own.embed(text), cls);
  const unit = await own.embed(text, { normalize: true });
  assert.ok(Math.abs(Math.hypot(...unit) - 1) < 1e-6);
});

test("longTexts: 'error' refuses a text that is too long and names it", async () => {
  const embedder = await open({ maxTokens: 8, longTexts: 'error' });
  await embedder.embed('short');
  const texts = Array(100).fill('short').concat([words(30)]);
  await assert.rejects(embedder.embed(texts), { code: 'invalid_argument', message: /texts\[100\]: 32 tokens, the limit is 8; set longTexts to truncate or chunk/ });
  assert.throws(() => embedder.embedSync(texts), { code: 'invalid_argument', message: /texts\[100\]/ });
  assert.equal((await embedder.embed(texts, { longTexts: 'truncate' })).length, 101);
  async function* source() {
    yield* texts;
  }
  await assert.rejects(async () => {
    for await (const { vector } of embedder.embedStream(source())) assert.equal(vector.length, DIMENSIONS);
  }, /texts\[100\]/);
});

test("longTexts: 'chunk' embeds all of a text and says in how many windows", async () => {
  const embedder = await open({ maxTokens: 16, longTexts: 'chunk', chunkOverlap: 0, normalize: false });
  const vectors = new Float32Array(2 * DIMENSIONS);
  const reports = await embedder.embedInto(['memory', words(28)], vectors);
  assert.deepEqual(reports, [{ tokens: 3, truncated: false, chunks: 1 }, { tokens: 30, truncated: false, chunks: 2 }]);
  const halves = await embedder.embed([words(14), words(28).split(' ').slice(14).join(' ')]);
  const mean = halves[0].map((value, i) => (value + halves[1][i]) / 2);
  mean.forEach((value, i) => assert.ok(Math.abs(value - vectors[DIMENSIONS + i]) < 1e-6));
  assert.deepEqual(vectors.slice(0, DIMENSIONS), await embedder.embed('memory', { longTexts: 'truncate' }));
  for await (const { chunks } of embedder.embedStream([words(28)], { chunkOverlap: 7 })) assert.equal(chunks, 3);
  await assert.rejects(embedder.embed('a', { chunkOverlap: 8 }), /chunkOverlap: expected at most 7, .*, found 8$/);
  const [report] = await embedder.embedInto(words(28), vectors, { longTexts: 'truncate' });
  assert.deepEqual(report, { tokens: 16, truncated: true });
});

test('promptName puts a prompt of the model before every text', async () => {
  const embedder = await open({ promptName: 'query' });
  assert.deepEqual(embedder.info.prompts, { query: 'query: ', passage: 'passage: ' });
  const plain = await open();
  assert.deepEqual(await embedder.embed('a text'), await plain.embed('query: a text'));
  assert.deepEqual(plain.embedSync('a text', { promptName: 'passage' }), await plain.embed('passage: a text'));
  assert.deepEqual(await embedder.embed('a text', { promptName: '' }), await plain.embed('a text'));
  await assert.rejects(plain.embed('a', { promptName: 'document' }),
    { code: 'invalid_argument', message: /^promptName: test has only passage, query, found "document"$/ });
});

test('truncation is that of the profile', async () => {
  for (const [truncation, tokens] of [['sentence-transformers', 64], ['transformers.js', 128], ['tokenizers', 128]]) {
    const embedder = await open({ truncation });
    assert.equal(embedder.info.maxTokens, tokens);
    assert.equal((await embedder.embedTokens(words(200))).tokens, tokens);
    assert.equal((await open({ truncation, maxTokens: 9 })).info.maxTokens, 9);
  }
});

test('streams in order, with back-pressure', async () => {
  const embedder = await open();
  let taken = 0, closed = false;
  async function* source() {
    try {
      for (let i = 0; i < 1000; ++i) {
        ++taken;
        yield `text ${i}`;
      }
    } finally {
      closed = true;
    }
  }
  let seen = 0;
  for await (const { text, vector, tokens, truncated } of embedder.embedStream(source(), { batchSize: 16 })) {
    assert.equal(text, `text ${seen}`);
    assert.ok(tokens > 2 && !truncated);
    if (seen === 3) assert.deepEqual(vector, await embedder.embed(text));
    if (seen === 40) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.ok(taken <= 48, `${taken} texts were taken for 41`);
      break;
    }
    ++seen;
  }
  assert.ok(closed, 'the source was not closed');
  const all = await Array.fromAsync?.(embedder.embedStream(['a', 'b'])) ?? [];
  if (Array.fromAsync) assert.equal(all.length, 2);
});

test('a stream does not wait for a batch to be full', async () => {
  const embedder = await open();
  let next;
  async function* source() {
    yield 'first';
    await new Promise((resolve) => (next = resolve));
    yield 'second';
  }
  const stream = embedder.embedStream(source());
  assert.equal((await stream.next()).value.text, 'first');
  const second = stream.next();
  await new Promise((resolve) => setTimeout(resolve, 20));
  next();
  assert.equal((await second).value.text, 'second');
  assert.equal((await stream.next()).done, true);
});

test('a stream that is aborted or left does not wait for its source', { timeout: 20_000 }, async () => {
  const embedder = await open();
  let go;
  const silence = new Promise((resolve) => (go = resolve));
  let closed = 0;
  async function* source() {
    try {
      yield 'a';
      await silence;
      yield 'b';
    } finally {
      ++closed;
    }
  }
  const controller = new AbortController();
  const stream = embedder.embedStream(source(), { signal: controller.signal });
  assert.equal((await stream.next()).value.text, 'a');
  const waiting = stream.next();
  controller.abort(new Error('enough'));
  await assert.rejects(waiting, { message: 'enough' });
  for await (const { text } of embedder.embedStream(source())) {
    assert.equal(text, 'a');
    break;
  }
  assert.equal(closed, 0);
  go();
  await new Promise(setImmediate);
  assert.equal(closed, 2);
});

test('aborts before, during and after', async () => {
  const embedder = await open();
  const reason = new Error('enough');
  await assert.rejects(embedder.embed('a', { signal: AbortSignal.abort(reason) }), reason);
  const controller = new AbortController();
  const target = new Float32Array(5000 * DIMENSIONS);
  const call = embedder.embedInto(Array(5000).fill(words(40)), target, { signal: controller.signal });
  setTimeout(() => controller.abort(reason), 30);
  await assert.rejects(call, reason);
  const done = target.slice();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(target, done, 'an aborted call went on writing');
  assert.ok(target.subarray(-DIMENSIONS).every((value) => value === 0));
  const late = new AbortController();
  assert.equal((await embedder.embed('a', { signal: late.signal })).length, DIMENSIONS);
  late.abort();
  await assert.rejects(Embedder.create('small', { folder, signal: AbortSignal.abort(reason) }), reason);
});
