// The functions of transformers.js that take and make tensors.
'use strict';

const { describe, invalid } = require('../errors.js');
const { product, split, stridesOf } = require('./strided.js');
const { Tensor, axisIn } = require('./tensor.js');

const shown = (dims) => JSON.stringify(dims);

const permute = (tensor, axes) => tensor.permute(...axes);

const mean = (tensor, dim = null, keepdim = false) => tensor.mean(dim, keepdim);

// One after the other along a dimension, in which alone they may differ.
function cat(tensors, dim = 0) {
  if (!Array.isArray(tensors) || tensors.length === 0) throw invalid(`cat: expected an array of tensors, found ${describe(tensors)}`);
  const [{ type, dims: first }] = tensors;
  const axis = axisIn(dim, first);
  for (const [i, tensor] of tensors.entries()) {
    const fits = tensor.dims.length === first.length && tensor.dims.every((count, at) => at === axis || count === first[at]);
    if (!fits || tensor.type !== type) {
      throw invalid(`cat: tensor ${i} is ${tensor.type} ${shown(tensor.dims)}, which does not fit ${type} ${shown(first)}`);
    }
  }
  const dims = first.map((count, at) => (at === axis ? tensors.reduce((sum, tensor) => sum + tensor.dims[axis], 0) : count));
  const data = new tensors[0].data.constructor(product(dims));
  const [outer] = split(first, axis);
  const parts = tensors.map((tensor) => [tensor.data, tensor.data.length / outer]);
  for (let o = 0, to = 0; o < outer; ++o) {
    for (const [values, length] of parts) {
      data.set(values.subarray(o * length, (o + 1) * length), to);
      to += length;
    }
  }
  return new Tensor(type, data, dims);
}

const stack = (tensors, dim = 0) => cat(Array.from(tensors, (tensor) => tensor.unsqueeze(dim)), dim);

// The mean of the tokens that the mask has: [texts][tokens][dimensions] with [texts][tokens] to [texts][dimensions].
function mean_pooling(states, mask) {
  const [texts, tokens, width] = states.dims;
  if (states.dims.length !== 3 || mask.dims.length !== 2 || mask.dims[0] !== texts || mask.dims[1] !== tokens) {
    throw invalid('mean_pooling: expected [texts][tokens][dimensions] and a mask [texts][tokens], ' +
      `found dims ${shown(states.dims)} and ${shown(mask.dims)}`);
  }
  const data = new states.data.constructor(texts * width);
  const sums = new Float64Array(width);
  for (let text = 0; text < texts; ++text) {
    let count = 0;
    sums.fill(0);
    for (let token = 0; token < tokens; ++token) {
      const weight = Number(mask.data[text * tokens + token]);
      if (weight === 0) continue;
      count += weight;
      const begin = (text * tokens + token) * width;
      for (let i = 0; i < width; ++i) sums[i] += states.data[begin + i] * weight;
    }
    if (count === 0) throw invalid(`mean_pooling: the mask of text ${text} has no token`);
    for (let i = 0; i < width; ++i) data[text * width + i] = sums[i] / count;
  }
  return new Tensor(states.type, data, [texts, width]);
}

// Rows with mean 0 and standard deviation 1, which as in transformers.js is increased by eps.
function layer_norm(tensor, shape, { eps = 1e-5 } = {}) {
  if (tensor.dims.length !== 2 || shape.length !== 1 || shape[0] !== tensor.dims[1]) {
    throw invalid(`layer_norm: expected rows and [the length of a row], found dims ${shown(tensor.dims)} and ${shown(shape)}`);
  }
  const [rows, width] = tensor.dims;
  const result = tensor.clone();
  for (let row = 0; row < rows; ++row) {
    const values = result.data.subarray(row * width, (row + 1) * width);
    const average = values.reduce((sum, value) => sum + value, 0) / width;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - average) ** 2, 0) / width);
    for (let i = 0; i < width; ++i) values[i] = (values[i] - average) / (deviation + eps);
  }
  return result;
}

// Products of the last two dimensions, for each combination of those before, where 1 stands for any number. A tensor of one
// dimension is a row on the left and a column on the right.
async function matmul(a, b) {
  const left = a.dims.length === 1 ? a.unsqueeze(0) : a;
  const right = b.dims.length === 1 ? b.unsqueeze(1) : b;
  const [rows, depth] = left.dims.slice(-2);
  const [height, columns] = right.dims.slice(-2);
  const rank = Math.max(left.dims.length, right.dims.length) - 2;
  const outer = [left, right].map(({ dims }) => [...new Array(rank + 2 - dims.length).fill(1), ...dims.slice(0, -2)]);
  const fits = outer[0].every((count, i) => count === outer[1][i] || count === 1 || outer[1][i] === 1);
  if (depth === undefined || depth !== height || !fits) {
    throw invalid(`matmul: dims ${shown(a.dims)} and ${shown(b.dims)} do not fit`);
  }
  if (a.type !== b.type || !a.type.startsWith('float')) {
    throw invalid(`matmul: expected two tensors of one floating-point type, found ${a.type} and ${b.type}`);
  }
  const batch = outer[0].map((count, i) => (count === 1 ? outer[1][i] : count));
  const count = product(batch);
  const data = new a.data.constructor(count * rows * columns);
  const offsetOf = offsets(batch, outer);
  const sums = new Float64Array(columns);
  for (let i = 0, to = 0; i < count; ++i) {
    const [from, other] = offsetOf(i);
    for (let row = 0; row < rows; ++row, to += columns) {
      sums.fill(0);
      for (let k = 0; k < depth; ++k) {
        const value = left.data[(from * rows + row) * depth + k];
        const begin = (other * depth + k) * columns;
        for (let j = 0; j < columns; ++j) sums[j] += value * right.data[begin + j];
      }
      data.set(sums, to);
    }
  }
  return new Tensor(a.type, data, [...batch, ...(a.dims.length === 1 ? [] : [rows]), ...(b.dims.length === 1 ? [] : [columns])]);
}

// A function from the number of an element of `batch` to its number in each of `shapes`, where 1 stands for any number.
function offsets(batch, shapes) {
  const strides = stridesOf(batch);
  const steps = shapes.map((dims) => stridesOf(dims).map((step, axis) => (dims[axis] === 1 ? 0 : step)));
  return (i) => steps.map((own) =>
    own.reduce((sum, step, axis) => sum + step * (Math.floor(i / strides[axis]) % batch[axis]), 0));
}

// [the k greatest values of each line along the last dimension, their places], the greatest first.
async function topk(tensor, k = null) {
  const width = tensor.dims.at(-1);
  if (width === undefined) throw invalid('topk: expected a tensor with dimensions');
  if (k !== null && !(Number.isInteger(k) && k >= 0)) throw invalid(`topk: expected a number of values, found ${describe(k)}`);
  const count = Math.min(k ?? width, width);
  const lines = product(tensor.dims.slice(0, -1));
  const data = new tensor.data.constructor(lines * count);
  const places = new BigInt64Array(lines * count);
  for (let line = 0; line < lines; ++line) {
    const values = tensor.data.subarray(line * width, (line + 1) * width);
    const order = Uint32Array.from(values, (_, i) => i).sort((x, y) =>
      (values[x] < values[y] ? 1 : values[x] > values[y] ? -1 : x - y));
    for (let i = 0; i < count; ++i) {
      data[line * count + i] = values[order[i]];
      places[line * count + i] = BigInt(order[i]);
    }
  }
  const dims = [...tensor.dims.slice(0, -1), count];
  return [new Tensor(tensor.type, data, dims), new Tensor('int64', places, dims)];
}

// The type is float32, int64 or bool, as the value is a number, a BigInt or a boolean.
function full(dims, value) {
  const type = { number: 'float32', bigint: 'int64', boolean: 'bool' }[typeof value];
  if (type === undefined) throw invalid(`full: expected a number, a BigInt or a boolean, found ${describe(value)}`);
  return new Tensor(type, new Array(product(dims)).fill(value), dims);
}

const full_like = ({ dims }, value) => full(dims, value);
const ones = (dims) => full(dims, 1n);
const ones_like = ({ dims }) => ones(dims);
const zeros = (dims) => full(dims, 0n);
const zeros_like = ({ dims }) => zeros(dims);

// One bit a value, 1 where it is above 0, the first value in the highest bit; `binary` is offset by -128.
function quantize_embeddings(tensor, precision) {
  if (precision !== 'binary' && precision !== 'ubinary') {
    throw invalid(`precision: expected binary or ubinary, found ${describe(precision)}`);
  }
  if (tensor.dims.length !== 2 || tensor.dims[1] % 8 !== 0) {
    throw invalid(`quantize: expected pooled vectors of a multiple of 8 values, found dims ${shown(tensor.dims)}`);
  }
  const bits = new Uint8Array(tensor.data.length / 8);
  tensor.data.forEach((value, i) => {
    if (value > 0) bits[i >> 3] |= 0x80 >> (i & 7);
  });
  const dims = [tensor.dims[0], tensor.dims[1] / 8];
  if (precision === 'ubinary') return new Tensor('uint8', bits, dims);
  return new Tensor('int8', Int8Array.from(bits, (byte) => byte - 128), dims);
}

module.exports = {
  cat, full, full_like, layer_norm, matmul, mean, mean_pooling, ones, ones_like, permute, quantize_embeddings, stack, topk,
  zeros, zeros_like,
};
