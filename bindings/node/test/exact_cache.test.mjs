// A cache in a file: the same bits, statistics, and options that belong together.

import assert from 'node:assert/strict';
import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Embedder, ModelPool, createEmbeddingFunction } from '../lib/index.mjs';
import { modelFolder } from './support.mjs';

const folder = modelFolder();
const place = mkdtempSync(path.join(tmpdir(), 'thimble-cache-'));
const texts = ['the memory', 'a small vector', '', 'the memory of a small vector '.repeat(30)];

test('a pool with a cache has the same vectors, and counts', async () => {
  const cache = { path: path.join(place, 'pool.cache'), maxBytes: '1MiB' };
  const plain = await (await new ModelPool({ folder }).getModel('small')).embed(texts);
  const pool = new ModelPool({ folder, cache });
  const embedder = await pool.getModel('small');
  assert.deepEqual(await embedder.embed(texts), plain);
  assert.deepEqual(await embedder.embed(texts), plain);
  assert.deepEqual(embedder.embedSync(texts), plain);
  assert.deepEqual(pool.stats().cache, { hits: 8, misses: 4, writes: 4 });
  assert.equal(statSync(cache.path).size, 1 << 20);
  await pool.dispose();
});

test('an embedder of a shared pool has one, too', async () => {
  const cache = { path: path.join(place, 'shared.cache') };
  const options = { folder, longTexts: 'chunk' };
  const plain = await (await Embedder.create('small', options)).embed(texts);
  for (let i = 0; i < 2; ++i) assert.deepEqual(await (await Embedder.create('small', { ...options, cache })).embed(texts), plain);
  const embed = createEmbeddingFunction({ modelName: 'small', folder, longTexts: 'chunk', cache });
  assert.deepEqual(await embed(texts), plain.map((vector) => Array.from(vector)));
  assert.equal(statSync(cache.path).size, 256 << 20);
});

test('errors name the option', async () => {
  const notes = path.join(place, 'notes.txt');
  writeFileSync(notes, 'what the user wrote');
  const refused = (code, message) => ({ code, message });
  assert.throws(() => new ModelPool({ folder, cache: { path: notes } }), refused('invalid_argument', /not a cache of thimble/));
  assert.throws(() => new ModelPool({ folder, cache: { path: notes + '2', maxBytes: 5 } }),
    refused('invalid_argument', /^cache\.maxBytes: expected at least 1048576 bytes, found 5/));
  assert.throws(() => new ModelPool({ folder, cache: { file: notes } }), refused('invalid_argument', /unknown option file/));
  assert.throws(() => new ModelPool({ folder, cache: { path: '' } }), refused('invalid_argument', /^cache\.path: /));
  assert.throws(() => new ModelPool({ folder, cache: { maxBytes: '1MB' } }), refused('invalid_argument', /^cache\.path: a pool keeps/));
  const pool = new ModelPool({ folder });
  await assert.rejects(pool.getModel('small', { cache: { path: notes } }), refused('invalid_argument', /^cache\.path: a pool has one/));
  await assert.rejects(Embedder.create('small', { folder, cache: { maxBytes: '1MB' } }), refused('unsupported', /add cache\.path$/));
  await assert.rejects(
    Embedder.create('text-embedding-3-small', { backend: 'openai:text-embedding-3-small', cache: { path: notes + '3' } }),
    refused('unsupported', /^cache\.path .*: only the native backend/));
  await pool.dispose();
});
