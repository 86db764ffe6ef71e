// Halves: every one of them, and what is between two of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bitsOf, fromHalf, numbersOf, toHalf, toHalves } from '../lib/half.js';

const float32 = Math.fround;
const finite = Array.from({ length: 0x7c00 }, (_, bits) => bits);

test('known halves', () => {
  for (const [bits, value] of [[0, 0], [1, 2 ** -24], [0x3ff, 1023 * 2 ** -24], [0x400, 2 ** -14], [0x3c00, 1],
    [0x3555, 0.333251953125], [0xc000, -2], [0x7bff, 65504], [0x7c00, Infinity], [0xfc00, -Infinity], [0x8000, -0]]) {
    assert.ok(Object.is(fromHalf(bits), value), `${bits}`);
    assert.equal(toHalf(value), bits);
  }
  assert.ok(Number.isNaN(fromHalf(0x7e00)));
  assert.equal(toHalf(NaN), 0x7e00);
});

test('each finite half is its own nearest; between two, the nearer, or the even one', () => {
  for (const bits of finite) {
    const value = fromHalf(bits);
    assert.equal(toHalf(value), bits);
    assert.equal(toHalf(-value), 0x8000 + bits);
    const next = bits === 0x7bff ? 65536 : fromHalf(bits + 1);
    assert.ok(next > value);
    const middle = (value + next) / 2, little = (next - value) / 1024;
    assert.equal(toHalf(float32(middle - little)), bits);
    assert.equal(toHalf(float32(middle + little)), bits + 1);
    assert.equal(toHalf(middle), bits + bits % 2);
  }
  assert.equal(toHalf(2 ** -140), 0);
  assert.equal(toHalf(3e38), 0x7c00);
});

test('a Float16Array has the same bits', { skip: globalThis.Float16Array ? false : 'this runtime has none' }, () => {
  const halves = new Float16Array(Uint16Array.from(finite).buffer);
  assert.deepEqual([...halves], finite.map(fromHalf));
  const floats = Float32Array.from(finite, (bits) => fromHalf(bits) * 1.0003);
  assert.deepEqual([...bitsOf(toHalves(floats))], [...floats].map(toHalf));
});

test('numbers of a vector', () => {
  assert.deepEqual(numbersOf(toHalves(Float32Array.of(1, -0.5, 0))), [1, -0.5, 0]);
  assert.deepEqual(numbersOf(Uint8Array.of(1, 255)), [1, 255]);
});
