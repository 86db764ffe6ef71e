// Goldens of clients.mjs: results as JSON, with each vector once, in base64.

import assert from 'node:assert/strict';

const DIMENSIONS = 384;
// Of the float sums in another order: measured are 1 - 3e-7 and 3e-7.
const LEAST_COSINE = 0.99999;
const MOST_LENGTH_ERROR = 1e-4;
const SAME = 1e-9;

const isVector = (value) => Array.isArray(value) && value.length === DIMENSIONS && value.every(Number.isFinite);
const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
const length = (a) => Math.sqrt(dot(a, a));
const cosine = (a, b) => dot(a, b) / (length(a) * length(b));

// Arrays where there may be typed arrays.
export function plain(value) {
  if (ArrayBuffer.isView(value)) return Array.from(value, Number);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}

export function encode(results) {
  const vectors = [];
  const indexOf = (vector) => {
    const found = vectors.findIndex((other) => 1 - cosine(vector, other) < SAME && Math.abs(length(vector) - length(other)) < 1e-6);
    return found >= 0 ? found : vectors.push(vector) - 1;
  };
  const replaced = JSON.parse(JSON.stringify(plain(results), (_, value) => (isVector(value) ? { vector: indexOf(value) } : value)));
  return { vectors: vectors.map((vector) => Buffer.from(Float32Array.from(vector).buffer).toString('base64')), results: replaced };
}

export function decode({ vectors, results }) {
  const numbers = vectors.map((text) => Array.from(new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer)));
  return JSON.parse(JSON.stringify(results), (_, value) => (value?.vector === undefined ? value : numbers[value.vector]));
}

// Fails unless everything but the vectors is equal, and each vector has the direction and length of the golden.
export function compare(found, golden, place = 'result') {
  if (isVector(golden)) {
    assert.ok(isVector(found), `${place}: expected a vector, found ${JSON.stringify(found)?.slice(0, 80)}`);
    const [alike, ratio] = [cosine(found, golden), length(found) / length(golden)];
    assert.ok(alike > LEAST_COSINE, `${place}: cosine to transformers.js is ${alike}`);
    assert.ok(Math.abs(ratio - 1) < MOST_LENGTH_ERROR, `${place}: length is ${ratio} times that of transformers.js`);
  } else if (golden !== null && typeof golden === 'object') {
    assert.deepEqual(Object.keys(found ?? {}).sort(), Object.keys(golden).sort(), place);
    for (const key of Object.keys(golden)) compare(found[key], golden[key], `${place}.${key}`);
  } else {
    assert.equal(found, golden, place);
  }
}
