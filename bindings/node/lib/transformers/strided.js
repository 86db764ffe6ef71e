// Loops over values with dimensions, in row-major order: typed arrays in, new typed arrays out.
'use strict';

const product = (dims) => dims.reduce((a, b) => a * b, 1);

// How far apart neighbours along each dimension are.
function stridesOf(dims) {
  const strides = new Array(dims.length);
  for (let axis = dims.length - 1, step = 1; axis >= 0; --axis) {
    strides[axis] = step;
    step *= dims[axis];
  }
  return strides;
}

// [values before `axis`, along it, behind it]
const split = (dims, axis) => [product(dims.slice(0, axis)), dims[axis], product(dims.slice(axis + 1))];

// One value for each line along `axis`: take(what there is so far, next value), which begins with `first`, or with the
// line's first value if that is undefined. Numbers are accumulated as float64.
function reduceAxis(data, dims, axis, take, first) {
  const [outer, count, inner] = split(dims, axis);
  const big = data instanceof BigInt64Array || data instanceof BigUint64Array;
  const result = big ? new data.constructor(outer * inner) : new Float64Array(outer * inner);
  if (first !== undefined) result.fill(big ? BigInt(first) : first);
  for (let o = 0, at = 0; o < outer; ++o) {
    for (let i = 0; i < count; ++i) {
      for (let to = o * inner, end = to + inner; to < end; ++to, ++at) {
        result[to] = i === 0 && first === undefined ? data[at] : take(result[to], data[at]);
      }
    }
  }
  return result;
}

// update(value, the value of its line along `axis` in `lines`) in place.
function updateAxis(data, dims, axis, lines, update) {
  const [outer, count, inner] = split(dims, axis);
  for (let o = 0, at = 0; o < outer; ++o) {
    for (let i = 0; i < count; ++i) {
      for (let line = o * inner, end = line + inner; line < end; ++line, ++at) data[at] = update(data[at], lines[line]);
    }
  }
}

// Dimension i of the result is dimension axes[i].
function permuteData(data, dims, axes) {
  const shape = axes.map((axis) => dims[axis]);
  const strides = stridesOf(dims);
  const steps = axes.map((axis) => strides[axis]);
  const result = new data.constructor(data.length);
  let to = 0;
  const walk = (axis, at) => {
    if (axis === shape.length) return void (result[to++] = data[at]);
    if (axis === shape.length - 1) {
      for (let i = 0; i < shape[axis]; ++i, at += steps[axis]) result[to++] = data[at];
      return;
    }
    for (let i = 0; i < shape[axis]; ++i, at += steps[axis]) walk(axis + 1, at);
  };
  walk(0, 0);
  return result;
}

// Below so many values a loop is faster than a view and its copy.
const SMALL = 16;

// The part from ranges[i].from up to ranges[i].to of each dimension i.
function sliceData(data, dims, ranges) {
  // What is whole from some dimension on lies in one piece, as does the range of the dimension before.
  let axis = dims.length - 1;
  while (axis > 0 && ranges[axis].from === 0 && ranges[axis].to === dims[axis]) --axis;
  const strides = stridesOf(dims);
  if (axis <= 0) return axis < 0 ? data.slice() : data.slice(ranges[0].from * strides[0], ranges[0].to * strides[0]);
  const result = new data.constructor(product(ranges.map(({ from, to }) => to - from)));
  const begin = ranges[axis].from * strides[axis];
  const length = ranges[axis].to * strides[axis] - begin;
  let to = 0;
  const walk = (outer, at) => {
    if (outer < axis) {
      for (let i = ranges[outer].from; i < ranges[outer].to; ++i) walk(outer + 1, at + i * strides[outer]);
    } else if (length < SMALL) {
      for (let i = at + begin; i < at + begin + length; ++i) result[to++] = data[i];
    } else {
      result.set(data.subarray(at + begin, at + begin + length), to);
      to += length;
    }
  };
  walk(0, 0);
  return result;
}

module.exports = { permuteData, product, reduceAxis, sliceData, split, stridesOf, updateAxis };
