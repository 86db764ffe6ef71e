// The functions of transformers.js for vectors: arrays, typed arrays, or tensors of one vector.
'use strict';

const { describe, invalid } = require('../errors.js');

const isTensor = (vector) => Array.isArray(vector?.dims);

// The values of a vector, which a tensor of dims [n] or [1, n] is too.
function valuesOf(vector, name) {
  const values = isTensor(vector) ? rowOf(vector, name) : vector;
  if (typeof values?.length === 'number' && (values.length === 0 || typeof values[0] === 'number')) return values;
  throw invalid(`${name}: expected an array of numbers or a tensor of floats, found ${describe(vector)}`);
}

function rowOf({ data, dims }, name) {
  if (dims.slice(0, -1).every((count) => count === 1)) return data;
  throw invalid(`${name}: expected a tensor of one vector, found dims ${JSON.stringify(dims)}; pass its parts tensor[i]`);
}

// For `name` in messages.
function scalarProduct(a, b, name) {
  const [left, right] = [valuesOf(a, name), valuesOf(b, name)];
  if (left.length !== right.length) {
    throw invalid(`${name}: expected vectors of one length, found ${left.length} and ${right.length}`);
  }
  let sum = 0;
  for (let i = 0; i < left.length; ++i) sum += left[i] * right[i];
  return sum;
}

const dot = (a, b) => scalarProduct(a, b, 'dot');

const magnitude = (vector) => Math.sqrt(dot(vector, vector));

// NaN for arrays of zeros, which have no direction, as in transformers.js; tensors of zeros are an error.
function cos_sim(a, b) {
  const cosine = scalarProduct(a, b, 'cos_sim') / (magnitude(a) * magnitude(b));
  if (Number.isNaN(cosine) && (isTensor(a) || isTensor(b))) {
    throw invalid('cos_sim: expected vectors with a direction, found zeros or values that are no numbers');
  }
  return cosine;
}

// exp(value) of each value over their sum.
function softmax(vector) {
  const values = valuesOf(vector, 'softmax');
  const most = greatest(values);
  const powers = Float64Array.from(values, (value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return values.map((_, i) => powers[i] / sum);
}

function log_softmax(vector) {
  const values = valuesOf(vector, 'log_softmax');
  const most = greatest(values);
  const logarithm = Math.log(values.reduce((total, value) => total + Math.exp(value - most), 0));
  return values.map((value) => value - most - logarithm);
}

const greatest = (values) => values.reduce((most, value) => (value > most ? value : most), -Infinity);

module.exports = { cos_sim, dot, log_softmax, magnitude, softmax };
