// The Tensor of transformers.js: values with a type and dimensions.
'use strict';

const { describe, invalid } = require('../errors.js');
const { permuteData, product, reduceAxis, sliceData, stridesOf, updateAxis } = require('./strided.js');

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array, bool: Uint8Array,
};
const isBig = (type) => type === 'int64' || type === 'uint64';

// `tensor.method_()` works in place, `tensor.method()` on a copy. Squeezing, `view` and an index share the values.
class Tensor {
  constructor(type, data, dims) {
    this.type = type;
    this.data = valuesOf(type, data);
    this.dims = Array.from(dims ?? [this.data.length]);
    this.location = 'cpu';
    if (!this.dims.every((count) => Number.isSafeInteger(count) && count >= 0) || product(this.dims) !== this.data.length) {
      throw invalid(`Tensor: dims ${JSON.stringify(this.dims)} do not fit ${this.data.length} values`);
    }
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

  // Part `i` along the first dimension, a view of the values; negative counts from the end. A tensor without dimensions is
  // its own only part.
  part(i) {
    const [count = 1, ...dims] = this.dims;
    const at = indexIn(i, count, this.dims);
    const step = product(dims);
    return new Tensor(this.type, this.data.subarray(at * step, (at + 1) * step), dims);
  }

  // Values if there is one dimension, else views.
  *[Symbol.iterator]() {
    if (this.dims.length <= 1) return void (yield* this.data);
    for (let i = 0; i < this.dims[0]; ++i) yield this.part(i);
  }

  item() {
    if (this.data.length !== 1) throw invalid(`item: expected a tensor of 1 value, found ${this.data.length}`);
    return this.data[0];
  }

  // Nested arrays of numbers, or of BigInts; without dimensions the value.
  tolist() {
    const { data, dims } = this;
    if (dims.length === 0) return data[0];
    const build = (offset, axis) => {
      const count = dims[axis];
      if (axis === dims.length - 1) return Array.from(data.subarray(offset, offset + count));
      const step = product(dims.slice(axis + 1));
      return Array.from({ length: count }, (_, i) => build(offset + i * step, axis + 1));
    };
    return build(0, 0);
  }

  stride() {
    return stridesOf(this.dims);
  }

  clone() {
    return new Tensor(this.type, this.data.slice(), this.dims);
  }

  // A copy with values of another type, rounded down to 64-bit integers; itself if it has this type.
  to(type) {
    if (this.type === type) return this;
    const Values = arrayOf(type);
    const { data } = this;
    if (isBig(type) === isBig(this.type)) return new Tensor(type, Values.from(data), this.dims);
    if (!isBig(type)) return new Tensor(type, Values.from(data, Number), this.dims);
    return new Tensor(type, Values.from(data, (value) => BigInt(Math.floor(value))), this.dims);
  }

  // One argument for each dimension, a copy: null is all of it, a number takes that part and drops the dimension,
  // [begin, end) a range of it, which may reach past its ends (null is to the end).
  slice(...slices) {
    const kept = [];
    const ranges = this.dims.map((count, axis) => {
      const wanted = slices[axis] ?? [null, null];
      if (typeof wanted === 'number') {
        const at = indexIn(wanted, count, this.dims, axis);
        return { from: at, to: at + 1 };
      }
      if (!Array.isArray(wanted) || wanted.length !== 2) {
        throw invalid(`slice: expected null, a number or [begin, end] for dimension ${axis}, found ${describe(wanted)}`);
      }
      const [from, to] = wanted.map((end, i) => (end === null ? [0, count][i] : clampedIn(end, count, axis)));
      if (from > to) throw invalid(`slice: [${wanted}] of dimension ${axis} ends before it begins`);
      kept.push(to - from);
      return { from, to };
    });
    return new Tensor(this.type, sliceData(this.data, this.dims, ranges), kept);
  }

  permute(...axes) {
    const rank = this.dims.length;
    const from = axes.map((axis) => axisIn(axis, this.dims));
    if (from.length !== rank || new Set(from).size !== rank) {
      throw invalid(`permute: expected each of ${rank} dimensions once, found [${axes}]`);
    }
    return new Tensor(this.type, permuteData(this.data, this.dims, from), from.map((axis) => this.dims[axis]));
  }

  transpose(...axes) {
    return this.permute(...axes);
  }

  // Other dimensions for the same values; -1 is what is left.
  view(...dims) {
    const open = dims.indexOf(-1);
    if (open < 0) return new Tensor(this.type, this.data, dims);
    const others = product(dims.filter((_, axis) => axis !== open));
    return new Tensor(this.type, this.data, dims.map((count, axis) => (axis === open ? this.data.length / others : count)));
  }

  // Without dimensions of 1: all, one, or those of an array. Other dimensions stay.
  squeeze_(dim = null) {
    const rank = this.dims.length;
    const chosen = dim === null ? null : [dim].flat().map((axis) => (axis < 0 ? rank + axis : axis));
    this.dims = this.dims.filter((count, axis) => count !== 1 || (chosen !== null && !chosen.includes(axis)));
    return this;
  }

  squeeze(dim = null) {
    return new Tensor(this.type, this.data, this.dims).squeeze_(dim);
  }

  unsqueeze_(dim) {
    const axis = axisIn(dim, [...this.dims, 1]);
    this.dims = [...this.dims.slice(0, axis), 1, ...this.dims.slice(axis)];
    return this;
  }

  unsqueeze(dim) {
    return new Tensor(this.type, this.data, this.dims).unsqueeze_(dim);
  }

  flatten_(startDim = 0, endDim = -1) {
    if (this.dims.length === 0) this.dims = [1];
    const [start, end] = [startDim, endDim].map((dim) => axisIn(dim, this.dims));
    this.dims = [...this.dims.slice(0, start), product(this.dims.slice(start, end + 1)), ...this.dims.slice(end + 1)];
    return this;
  }

  // callback(value, its index, all values)
  map_(callback) {
    const { data } = this;
    for (let i = 0; i < data.length; ++i) data[i] = callback(data[i], i, data);
    return this;
  }

  add_(operand) {
    const by = operandOf(this, operand, 'add');
    return this.map_((value) => value + by);
  }

  sub_(operand) {
    const by = operandOf(this, operand, 'sub');
    return this.map_((value) => value - by);
  }

  mul_(operand) {
    const by = operandOf(this, operand, 'mul');
    return this.map_((value) => value * by);
  }

  div_(operand) {
    const by = operandOf(this, operand, 'div');
    return this.map_((value) => value / by);
  }

  neg_() {
    return this.map_((value) => -value);
  }

  sigmoid_() {
    checkNotBig(this, 'sigmoid');
    return this.map_((value) => 1 / (1 + Math.exp(-value)));
  }

  clamp_(least, most) {
    const [low, high] = [operandOf(this, least, 'clamp'), operandOf(this, most, 'clamp')];
    return this.map_((value) => (value < low ? low : value > high ? high : value));
  }

  round_() {
    return isBig(this.type) ? this : this.map_(Math.round);
  }

  gt(operand) {
    return compare(this, (value) => value > operand);
  }

  lt(operand) {
    return compare(this, (value) => value < operand);
  }

  // The following work along a dimension, or with null on all values.
  sum(dim = null, keepdim = false) {
    return reduce(this, dim, keepdim, (sum, value) => sum + value, 0);
  }

  mean(dim = null, keepdim = false) {
    checkNotBig(this, 'mean');
    const count = dim === null ? this.data.length : this.dims[axisIn(dim, this.dims)];
    return reduce(this, dim, keepdim, (sum, value) => sum + value, 0, (sum) => sum / count);
  }

  // As in transformers.js, p = 1 is the sum, and other odd powers keep the sign of values. 'fro' is p = 2.
  norm(p = 'fro', dim = null, keepdim = false) {
    const { take, root } = powerOf(p);
    if (p === 1) return this.sum(dim, keepdim);
    checkNotBig(this, 'norm');
    return reduce(this, dim, keepdim, take, 0, root);
  }

  min(dim = null, keepdim = false) {
    return reduce(this, dim, keepdim, (least, value) => (value < least ? value : least));
  }

  max(dim = null, keepdim = false) {
    return reduce(this, dim, keepdim, (most, value) => (value > most ? value : most));
  }

  argmin(dim = null) {
    return positionOf(this, dim, 'argmin', (value, least) => value < least);
  }

  argmax(dim = null) {
    return positionOf(this, dim, 'argmax', (value, most) => value > most);
  }

  // Lines along a dimension divided by their norm; a line of zeros stays.
  normalize_(p = 2, dim = 1) {
    checkNotBig(this, 'normalize');
    const axis = axisIn(dim, this.dims);
    const { take, root } = powerOf(p);
    const norms = reduceAxis(this.data, this.dims, axis, take, 0).map(root);
    updateAxis(this.data, this.dims, axis, norms, (value, norm) => (norm === 0 ? value : value / norm));
    return this;
  }

  // Nothing has to be given back: the values belong to JavaScript.
  dispose() {}
}

for (const name of ['add', 'clamp', 'div', 'flatten', 'map', 'mul', 'neg', 'normalize', 'round', 'sigmoid', 'sub']) {
  const value = function (...values) {
    return this.clone()[`${name}_`](...values);
  };
  Object.defineProperty(Tensor.prototype, name, { value, writable: true, configurable: true });
}

function arrayOf(type) {
  if (typeof type === 'string' && Object.hasOwn(ARRAYS, type)) return ARRAYS[type];
  throw invalid(`Tensor: expected one of ${Object.keys(ARRAYS).join(', ')}, found ${describe(type)}`);
}

// `data` as the typed array of `type`: itself, or a view of it where it is of a subclass or of another realm, or a copy of
// an array.
function valuesOf(type, data) {
  const Values = arrayOf(type);
  if (Array.isArray(data)) {
    const odd = data.find((value) => !['number', 'bigint', 'boolean'].includes(typeof value));
    if (odd !== undefined) throw invalid(`Tensor: expected numbers, found ${describe(odd)}`);
    return Values.from(data, isBig(type) ? BigInt : Number);
  }
  if (!ArrayBuffer.isView(data) || data[Symbol.toStringTag] !== Values.name) {
    throw invalid(`Tensor: expected a ${Values.name} or an array for ${type}, found ${describe(data)}`);
  }
  return data.constructor === Values ? data : new Values(data.buffer, data.byteOffset, data.length);
}

// An index into `count` parts, which if negative counts from their end.
function indexIn(index, count, dims, axis = 0) {
  const at = index < 0 ? count + index : index;
  if (Number.isInteger(at) && at >= 0 && at < count) return at;
  throw invalid(`Tensor: index ${index} of dimension ${axis} is out of range, dims are ${JSON.stringify(dims)}`);
}

function clampedIn(end, count, axis) {
  if (!Number.isInteger(end)) throw invalid(`slice: expected integers or null for dimension ${axis}, found ${describe(end)}`);
  return Math.min(Math.max(end < 0 ? count + end : end, 0), count);
}

function axisIn(dim, dims) {
  const axis = dim < 0 ? dims.length + dim : dim;
  if (Number.isInteger(axis) && axis >= 0 && axis < dims.length) return axis;
  throw invalid(`Tensor: expected one of ${dims.length} dimensions, found ${describe(dim)}, dims are ${JSON.stringify(dims)}`);
}

function operandOf(tensor, operand, name) {
  if (typeof operand !== 'number' && typeof operand !== 'bigint') {
    throw invalid(`${name}: expected a number, found ${describe(operand)}`);
  }
  return isBig(tensor.type) ? BigInt(operand) : Number(operand);
}

function checkNotBig(tensor, name) {
  if (isBig(tensor.type)) throw invalid(`${name}: expected a floating-point tensor, found ${tensor.type}; use to('float32')`);
}

function powerOf(p) {
  if (p === 2 || p === 'fro') return { take: (sum, value) => sum + value * value, root: Math.sqrt };
  if (!(typeof p === 'number' && p > 0)) throw invalid(`norm: expected 'fro' or a number above 0, found ${describe(p)}`);
  return { take: (sum, value) => sum + value ** p, root: (sum) => sum ** (1 / p) };
}

// `first` as in reduceAxis; finish() makes each result of what was taken.
function reduce(tensor, dim, keepdim, take, first, finish = (value) => value) {
  const { type, data } = tensor;
  const dims = dim === null ? [data.length] : tensor.dims;
  const axis = dim === null ? 0 : axisIn(dim, dims);
  if (first === undefined && dims[axis] === 0) throw invalid(`Tensor: nothing to choose from, dims are ${JSON.stringify(tensor.dims)}`);
  const result = ARRAYS[type].from(reduceAxis(data, dims, axis, take, first), finish);
  const kept = keepdim && dim !== null ? [1] : [];
  return new Tensor(type, result, [...dims.slice(0, axis), ...kept, ...dims.slice(axis + 1)]);
}

function positionOf({ data }, dim, name, isBetter) {
  if (dim !== null) throw invalid(`${name}: expected no dimension, found ${describe(dim)}`);
  if (data.length === 0) throw invalid(`${name}: expected values, found none`);
  let best = 0;
  for (let i = 1; i < data.length; ++i) if (isBetter(data[i], data[best])) best = i;
  return new Tensor('int64', [BigInt(best)], []);
}

function compare({ data, dims }, holds) {
  return new Tensor('bool', Uint8Array.from(data, (value) => (holds(value) ? 1 : 0)), dims);
}

module.exports = { Tensor, axisIn };
