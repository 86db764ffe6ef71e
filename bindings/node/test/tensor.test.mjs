// Tensors and functions of thimble/transformers. Where nothing else is said, transformers.js 4.3.1 gives the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import vm from 'node:vm';
import {
  Tensor, cat, cos_sim, dot, full, full_like, layer_norm, log_softmax, magnitude, matmul, mean, mean_pooling, ones, permute,
  quantize_embeddings, softmax, stack, topk, zeros_like,
} from '../lib/transformers.mjs';

const floats = (values, dims) => new Tensor('float32', Float32Array.from(values), dims);
const range = (...dims) => floats({ length: dims.reduce((a, b) => a * b, 1) }, dims).map((_, i) => i);
const shape = (tensor) => [tensor.type, tensor.dims, tensor.tolist()];
function near(tensor, expected) {
  assert.equal(tensor.size, expected.length);
  expected.forEach((value, i) => assert.ok(Math.abs(tensor.data[i] - value) < 1e-6, `${i}: ${tensor.data[i]}, not ${value}`));
}

test('are made of typed arrays, of other realms too, and of arrays', () => {
  const data = Float32Array.of(1, 2);
  assert.equal(new Tensor('float32', data, [2]).data, data);
  assert.deepEqual(shape(new Tensor('float32', [1, 2])), ['float32', [2], [1, 2]]);
  assert.deepEqual(shape(new Tensor('int64', [1n, 2], [1, 2])), ['int64', [1, 2], [[1n, 2n]]]);
  assert.deepEqual(shape(new Tensor('bool', [true, false], [2])), ['bool', [2], [1, 0]]);
  const foreign = vm.runInNewContext('Float32Array.of(1, 2)');
  assert.deepEqual(shape(new Tensor('float32', foreign, [2]).clone()), ['float32', [2], [1, 2]]);
  assert.deepEqual(new Tensor('uint8', Buffer.from('ab'), [2]).slice([1, 2]).tolist(), [98]);
  assert.throws(() => new Tensor('float32', new Float32Array(5), [2, 3]), /do not fit/);
  assert.throws(() => new Tensor('float32', new Float64Array(2), [2]), /expected a Float32Array/);
  assert.throws(() => new Tensor('float32', ['a'], [1]), /expected numbers/);
  assert.throws(() => new Tensor('toString', [1], [1]), /expected one of float32/);
});

test('index and iteration give views, and without further dimensions the values', () => {
  const tensor = range(2, 3, 4);
  assert.deepEqual([tensor.size, tensor.stride(), tensor[1].dims], [24, [12, 4, 1], [3, 4]]);
  assert.deepEqual(tensor[1][2].tolist(), [20, 21, 22, 23]);
  assert.deepEqual([tensor[1][2][3].item(), tensor[-1][0][-2].item()], [23, 14]);
  assert.deepEqual([...tensor].map((part) => part.data[0]), [0, 12]);
  assert.deepEqual([...tensor[0][1]], [4, 5, 6, 7]);
  assert.throws(() => tensor[2], /index 2 of dimension 0 is out of range/);
  tensor[1].data[0] = 99;
  assert.equal(tensor.data[12], 99);
  assert.throws(() => tensor.item(), /24/);
  const copy = tensor.clone();
  copy.data[0] = 5;
  tensor.dispose();
  assert.equal(tensor.data[0], 0);
});

test('slice copies a part', () => {
  const tensor = range(2, 3, 4);
  assert.deepEqual(tensor.slice(null, 0).tolist(), [[0, 1, 2, 3], [12, 13, 14, 15]]);
  assert.deepEqual(tensor.slice(1, [1, 3], [0, 2]).tolist(), [[16, 17], [20, 21]]);
  assert.deepEqual(tensor.slice(null, -1, -1).tolist(), [11, 23]);
  assert.deepEqual(tensor.slice([0, 1]).dims, [1, 3, 4]);
  assert.deepEqual(tensor.slice(0, [1, 9], [-2, null]).tolist(), [[6, 7], [10, 11]]);
  assert.deepEqual(tensor.slice([1, 1]).dims, [0, 3, 4]);
  // Long enough for a copy of a block.
  const wide = range(3, 40);
  assert.deepEqual([...wide.slice(null, [10, 38]).data], [0, 1, 2].flatMap((row) => [...wide.data.slice(40 * row + 10, 40 * row + 38)]));
  wide.slice().data[0] = 7;
  assert.equal(wide.data[0], 0);
  assert.throws(() => tensor.slice(2), /out of range/);
  assert.throws(() => tensor.slice([2, 1]), /ends before it begins/);
  assert.throws(() => tensor.slice([1]), /\[begin, end\]/);
  assert.throws(() => tensor.slice('a'), /\[begin, end\]/);
});

test('dimensions', () => {
  const tensor = range(1, 2, 3);
  assert.deepEqual(tensor.permute(2, 0, 1).tolist(), [[[0, 3]], [[1, 4]], [[2, 5]]]);
  assert.deepEqual(permute(tensor[0], [1, 0]).tolist(), tensor[0].transpose(1, 0).tolist());
  assert.throws(() => tensor.permute(0, 0, 1), /each of 3 dimensions once/);
  assert.deepEqual([tensor.view(3, -1).dims, tensor.view(6).data], [[3, 2], tensor.data]);
  assert.throws(() => tensor.view(4, -1), /do not fit/);
  assert.deepEqual([tensor.squeeze().dims, tensor.squeeze(0).dims, tensor.squeeze(1).dims], [[2, 3], [2, 3], [1, 2, 3]]);
  assert.deepEqual([tensor.unsqueeze(1).dims, tensor.unsqueeze(-1).dims], [[1, 1, 2, 3], [1, 2, 3, 1]]);
  assert.deepEqual([tensor.flatten().dims, tensor.flatten(1).dims, tensor.flatten(0, 1).dims], [[6], [1, 6], [2, 3]]);
  assert.deepEqual(tensor.dims, [1, 2, 3]);
  assert.equal(tensor.squeeze_().unsqueeze_(2), tensor);
  assert.deepEqual(tensor.dims, [2, 3, 1]);
});

test('reductions along a dimension, or of all values', () => {
  const tensor = floats([1, -2, 3, 4, 5, -6], [2, 3]);
  assert.deepEqual(shape(tensor.sum()), ['float32', [], 5]);
  assert.deepEqual([tensor.sum(0).tolist(), tensor.sum(1).tolist(), tensor.sum(-1, true).tolist()], [[5, 3, -3], [2, 3], [[2], [3]]]);
  near(tensor.mean(), [5 / 6]);
  near(mean(tensor, 1), [2 / 3, 1]);
  near(tensor.norm(), [Math.sqrt(91)]);
  near(tensor.norm(2, 0), [Math.sqrt(17), Math.sqrt(29), Math.sqrt(45)]);
  near(tensor.norm(4, 1), [98 ** 0.25, (256 + 625 + 1296) ** 0.25]);
  assert.deepEqual(tensor.norm(1, 1).tolist(), [2, 3]);
  assert.deepEqual([tensor.min().item(), tensor.max(1).tolist(), tensor.min(0, true).tolist()], [-6, [3, 5], [[1, -2, -6]]]);
  assert.deepEqual([shape(tensor.argmax()), tensor.argmin().item()], [['int64', [], 4n], 5n]);
  assert.deepEqual(new Tensor('int64', [1n, 2n], [2]).sum().item(), 3n);
  assert.throws(() => ones([2]).mean(), /to\('float32'\)/);
  assert.throws(() => tensor.sum(2), /one of 2 dimensions/);
  // transformers.js has 0 here, because it begins with an infinity.
  assert.deepEqual(new Tensor('uint8', [3, 5], [1, 2]).min(1).tolist(), [3]);
});

test('values: arithmetic, types, unit length', () => {
  const tensor = floats([1.5, -2, 0.25], [3]);
  assert.deepEqual(tensor.mul(2).add(1).sub(2).div(4).tolist(), [0.5, -1.25, -0.125]);
  assert.deepEqual(tensor.neg().clamp(-1, 1).tolist(), [-1, 1, -0.25]);
  near(tensor.sigmoid(), [0.8175744761936437, 0.11920292202211755, 0.5621765008857981]);
  assert.deepEqual([tensor.round().tolist(), tensor.map((value, i) => value * i).tolist()], [[2, -2, 0], [0, -2, 0.5]]);
  assert.deepEqual([shape(tensor.gt(0)), tensor.lt(0).tolist()], [['bool', [3], [1, 0, 1]], [0, 1, 0]]);
  assert.equal(tensor.mul_(2), tensor);
  assert.deepEqual(tensor.tolist(), [3, -4, 0.5]);
  assert.deepEqual([shape(tensor.to('int64')), shape(tensor.to('int8'))], [['int64', [3], [3n, -4n, 0n]], ['int8', [3], [3, -4, 0]]]);
  assert.deepEqual([ones([2]).mul(3).to('float32').tolist(), tensor.to('float32') === tensor], [[3, 3], true]);
  assert.throws(() => tensor.mul(tensor), /mul: expected a number/);
  assert.throws(() => tensor.to('float8'), /expected one of/);
  const rows = floats([3, 4, 0, 0], [2, 2]);
  near(rows.normalize(), [0.6, 0.8, 0, 0]);  // transformers.js: NaN for the row of zeros.
  near(rows.normalize(2, 0), [1, 1, 0, 0]);
  assert.throws(() => floats([1], [1]).normalize(), /one of 1 dimensions/);
});

test('cat and stack', () => {
  const [a, b] = [range(2, 3), range(2, 3).add(10)];
  assert.deepEqual(cat([a, b]).tolist(), [[0, 1, 2], [3, 4, 5], [10, 11, 12], [13, 14, 15]]);
  assert.deepEqual(cat([a, b, a.slice(null, [0, 1])], -1).tolist(), [[0, 1, 2, 10, 11, 12, 0], [3, 4, 5, 13, 14, 15, 3]]);
  assert.deepEqual([stack([a, b]).dims, stack([a, b], 1).tolist()[1]], [[2, 2, 3], [[3, 4, 5], [13, 14, 15]]]);
  assert.throws(() => cat([a, range(3, 2)]), /tensor 1 is float32 \[3,2\]/);
  assert.throws(() => cat([a, ones([2, 3])]), /int64/);
  assert.throws(() => cat([]), /array of tensors/);
});

test('products, and the greatest values', async () => {
  const [a, b] = [range(2, 3), range(2, 3).add(10)];
  assert.deepEqual(shape(await matmul(a, b.transpose(1, 0))), ['float32', [2, 2], [[35, 44], [134, 170]]]);
  assert.deepEqual([(await matmul(range(3), b.transpose(1, 0))).tolist(), (await matmul(a, range(3))).tolist()], [[35, 44], [5, 14]]);
  const batch = await matmul(range(2, 1, 1, 2), range(3, 2, 1));
  assert.deepEqual([batch.dims, [...batch.data]], [[2, 3, 1, 1], [1, 3, 5, 3, 13, 23]]);
  await assert.rejects(matmul(a, b), /do not fit/);
  await assert.rejects(matmul(a, ones([3, 2])), /floating-point/);
  const [values, places] = await topk(floats([1, 5, 3, 5, 2, 9], [2, 3]), 2);
  assert.deepEqual([shape(values), shape(places)], [['float32', [2, 2], [[5, 3], [9, 5]]], ['int64', [2, 2], [[1n, 2n], [2n, 0n]]]]);
  assert.deepEqual((await topk(floats([2, 2, 3], [3])))[1].tolist(), [2n, 0n, 1n]);
});

test('pooling, layer_norm, bits', () => {
  const mask = new Tensor('int64', [1n, 1n, 0n, 1n, 0n, 0n], [2, 3]);
  assert.deepEqual(mean_pooling(range(2, 3, 2), mask).tolist(), [[1, 2], [6, 7]]);
  assert.throws(() => mean_pooling(range(2, 3, 2), mask.slice([0, 1])), /mean_pooling: expected/);
  assert.throws(() => mean_pooling(range(1, 1, 2), new Tensor('int64', [0n], [1, 1])), /text 0 has no token/);
  near(layer_norm(floats([1, 2, 3, 4, 4, 4], [2, 3]), [3]), [-1.2247299, 0, 1.2247299, 0, 0, 0]);
  assert.throws(() => layer_norm(range(2, 3), [2]), /layer_norm: expected/);
  const rows = floats({ length: 16 }, [2, 8]).map((_, i) => (i % 3 === 0 ? 1 : -1));
  assert.deepEqual(shape(quantize_embeddings(rows, 'ubinary')), ['uint8', [2, 1], [[0b10010010], [0b01001001]]]);
  assert.deepEqual(quantize_embeddings(rows, 'binary').tolist(), [[0b10010010 - 128], [0b01001001 - 128]]);
});

test('filled tensors', () => {
  assert.deepEqual([full([2], 0.5), full([1, 1], 2n), full([1], true)].map(shape),
    [['float32', [2], [0.5, 0.5]], ['int64', [1, 1], [[2n]]], ['bool', [1], [1]]]);
  assert.deepEqual([shape(ones([2])), shape(zeros_like(range(1, 2))), full_like(range(2), 1).tolist()],
    [['int64', [2], [1n, 1n]], ['int64', [1, 2], [[0n, 0n]]], [1, 1]]);
  assert.throws(() => full([1], 'a'), /full: expected/);
});

test('functions of vectors take arrays and tensors of one vector', () => {
  assert.equal(cos_sim([1, 0], [0, 1]), 0);
  assert.equal(cos_sim(floats([3, 4], [2]), floats([3, 4], [1, 2])), 1);
  assert.equal(dot([1, 2], Float32Array.of(3, 4)), 11);
  assert.equal(magnitude(floats([3, 4], [2])), 5);
  assert.ok(Number.isNaN(cos_sim([0, 0], [0, 1])));
  assert.throws(() => cos_sim(floats([0, 0], [2]), [0, 1]), /direction/);
  assert.throws(() => cos_sim(range(2, 2), range(2, 2)), /one vector, found dims \[2,2\]/);
  assert.throws(() => cos_sim([[1]], [[1]]), /array of numbers/);
  assert.throws(() => dot([1, 2], [1]), /one length, found 2 and 1/);
  near({ data: softmax([1, 2, 3]), size: 3 }, [0.09003057317038046, 0.24472847105479764, 0.6652409557748219]);
  near({ data: log_softmax(Float32Array.of(1, 2, 3)), size: 3 }, [-2.4076059644443806, -1.4076059644443804, -0.4076059644443804]);
});
