// The mock embedding in circulation, in JavaScript: a unit test that uses it needs neither a model nor the addon.
'use strict';

const { invalid } = require('./errors.js');
const { checkTexts } = require('./options.js');

const DIMENSIONS = 384;

// v[i] = sin(h + i) * 0.1, h the sum of the text's UTF-16 code units; 0 is +0 for h + i = 0.
function mockVector(text, dimensions = DIMENSIONS) {
  if (dimensions > DIMENSIONS) throw invalid(`dimensions: expected 1 to ${DIMENSIONS}, found ${dimensions}`);
  let hash = 0;
  for (let i = 0; i < text.length; ++i) hash += text.charCodeAt(i);
  return Array.from({ length: dimensions }, (_, i) => Math.sin(hash + i) * 0.1);
}

const PROMPTS = { query: 'query: ', passage: 'passage: ', document: 'document: ' };

// The text of a prompt, as the native mocks have it.
function mockPrompt(name = '') {
  if (name === '') return '';
  if (!Object.hasOwn(PROMPTS, name)) {
    throw invalid(`promptName: mock has only ${Object.keys(PROMPTS).join(', ')}, found ${JSON.stringify(name)}`);
  }
  return PROMPTS[name];
}

async function mockEmbeddingFunction(texts) {
  const vectors = checkTexts(texts).map((text) => mockVector(text));
  return typeof texts === 'string' ? vectors[0] : vectors;
}

module.exports = { DIMENSIONS, mockEmbeddingFunction, mockPrompt, mockVector };
