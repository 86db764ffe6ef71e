// Functions of transformers.js for vectors.
'use strict';

const { invalid } = require('../errors.js');

function dot(a, b) {
  if (a.length !== b.length) throw invalid(`dot: expected vectors of one length, found ${a.length} and ${b.length}`);
  let sum = 0;
  for (let i = 0; i < a.length; ++i) sum += a[i] * b[i];
  return sum;
}

const magnitude = (vector) => Math.sqrt(dot(vector, vector));

const cos_sim = (a, b) => dot(a, b) / (magnitude(a) * magnitude(b));

module.exports = { cos_sim, dot, magnitude };
