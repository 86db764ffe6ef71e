// Brainy: a function for its option embeddingFunction.
'use strict';

const { createEmbeddingFunction } = require('./embedding-function.js');
const { describe, invalid } = require('./errors.js');

// `options` are those of createEmbeddingFunction.
function embeddingFunction(options) {
  const embed = createEmbeddingFunction(options);
  return async (data, { signal, promptName } = {}) => {
    if (typeof data !== 'string' && !(Array.isArray(data) && data.every((item) => typeof item === 'string'))) {
      throw invalid(`data: expected a string or an array of strings, found ${describe(data)}`);
    }
    const text = (typeof data === 'string' ? [data] : data).find((item) => item.trim() !== '');
    // For zeros only the number of values counts; providers refuse empty texts.
    const vector = await embed(text ?? 'blank', { signal, promptName });
    return text === undefined ? vector.fill(0) : vector;
  };
}

module.exports = { embeddingFunction };
