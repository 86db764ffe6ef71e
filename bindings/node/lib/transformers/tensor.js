// The part of transformers.js's Tensor that results of feature extraction are used with.
'use strict';

const { describe, invalid } = require('../errors.js');

const ARRAYS = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array };

const product = (dims) => dims.reduce((a, b) => a * b, 1);

class Tensor {
  constructor(type, data, dims) {
    if (!(ARRAYS[type] && data instanceof ARRAYS[type])) {
      throw invalid(`Tensor: expected ${Object.keys(ARRAYS).join(', ')} with its typed array, found ${describe(type)}`);
    }
    if (!Array.isArray(dims) || product(dims) !== data.length) {
      throw invalid(`Tensor: dims ${JSON.stringify(dims)} do not fit ${data.length} values`);
    }
    this.type = type;
    this.data = data;
    this.dims = dims;
    this.location = 'cpu';
    // tensor[i] is the i-th part along the first dimension.
    return new Proxy(this, {
      get: (target, key) => {
        if (typeof key !== 'string' || !/^-?\d+$/.test(key)) return Reflect.get(target, key, target);
        return target.part(Number(key));
      },
    });
  }

  get size() {
    return this.data.length;
  }

  // Part `i` along the first dimension, a view; negative counts from the end. A number where there is one dimension.
  part(i) {
    const [count, ...dims] = this.dims;
    const at = i < 0 ? count + i : i;
    if (!(at >= 0 && at < count)) throw invalid(`Tensor: index ${i} is out of range, dims are ${JSON.stringify(this.dims)}`);
    if (dims.length === 0) return this.data[at];
    const step = product(dims);
    return new Tensor(this.type, this.data.subarray(at * step, (at + 1) * step), dims);
  }

  *[Symbol.iterator]() {
    for (let i = 0; i < this.dims[0]; ++i) yield this.part(i);
  }

  tolist() {
    const build = (offset, [count, ...rest]) => {
      if (rest.length === 0) return Array.from(this.data.subarray(offset, offset + count));
      const step = product(rest);
      return Array.from({ length: count }, (_, i) => build(offset + i * step, rest));
    };
    return build(0, this.dims);
  }

  // One argument for each dimension, a copy: null is all of it, a number takes that part and drops the dimension,
  // [begin, end) a range of it (null is to the end).
  slice(...slices) {
    const ranges = this.dims.map((count, axis) => {
      const wanted = slices[axis] ?? [0, count];
      const [begin, end] = Array.isArray(wanted) ? wanted : [wanted, null];
      const from = begin === null ? 0 : begin < 0 ? count + begin : begin;
      const to = !Array.isArray(wanted) ? from + 1 : end === null ? count : end < 0 ? count + end : Math.min(end, count);
      if (!(Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from < to && to <= count)) {
        throw invalid(`Tensor: slice ${JSON.stringify(wanted)} of dimension ${axis} is out of range, it has ${count}`);
      }
      return { from, to, drop: !Array.isArray(wanted) };
    });
    const data = [];
    const strides = this.dims.map((_, axis) => product(this.dims.slice(axis + 1)));
    const walk = (axis, offset) => {
      if (axis === this.dims.length) return void data.push(this.data[offset]);
      for (let i = ranges[axis].from; i < ranges[axis].to; ++i) walk(axis + 1, offset + i * strides[axis]);
    };
    walk(0, 0);
    const dims = ranges.filter((range) => !range.drop).map((range) => range.to - range.from);
    return new Tensor(this.type, ARRAYS[this.type].from(data), dims);
  }

  clone() {
    return new Tensor(this.type, this.data.slice(), this.dims.slice());
  }

  // Rows of the last dimension with unit length, as a copy; the length is the Euclidean one.
  normalize(p = 2, dim = -1) {
    if (p !== 2 || (dim !== -1 && dim !== this.dims.length - 1)) {
      throw invalid('Tensor: normalize is there for p = 2 along the last dimension');
    }
    const copy = this.clone();
    const width = this.dims.at(-1);
    for (let begin = 0; begin < copy.data.length; begin += width) normalizeRow(copy.data.subarray(begin, begin + width));
    return copy;
  }

  // Nothing has to be given back: the values belong to JavaScript.
  dispose() {}
}

function normalizeRow(row) {
  let squares = 0;
  for (const value of row) squares += value * value;
  if (squares === 0) return;
  const length = Math.sqrt(squares);
  for (let i = 0; i < row.length; ++i) row[i] /= length;
}

// One bit a value, 1 where it is above 0, the first value in the highest bit; `binary` is offset by -128.
function quantizeEmbeddings(tensor, precision) {
  if (precision !== 'binary' && precision !== 'ubinary') {
    throw invalid(`precision: expected binary or ubinary, found ${describe(precision)}`);
  }
  if (tensor.dims.length !== 2 || tensor.dims[1] % 8 !== 0) {
    throw invalid(`quantize: expected pooled vectors of a multiple of 8 values, found dims ${JSON.stringify(tensor.dims)}`);
  }
  const bits = new Uint8Array(tensor.data.length / 8);
  tensor.data.forEach((value, i) => {
    if (value > 0) bits[i >> 3] |= 0x80 >> (i & 7);
  });
  const dims = [tensor.dims[0], tensor.dims[1] / 8];
  if (precision === 'ubinary') return new Tensor('uint8', bits, dims);
  return new Tensor('int8', Int8Array.from(bits, (byte) => byte - 128), dims);
}

module.exports = { Tensor, quantizeEmbeddings };
