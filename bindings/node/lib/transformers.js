// What transformers.js has for feature extraction, on thimble: the same calls, defaults and results.
'use strict';

const { LogLevel, env } = require('./transformers/env.js');
const math = require('./transformers/math.js');
const models = require('./transformers/model.js');
const operations = require('./transformers/operations.js');
const { FeatureExtractionPipeline, pipeline } = require('./transformers/pipeline.js');
const { ModelRegistry } = require('./transformers/registry.js');
const { Tensor } = require('./transformers/tensor.js');
const tokenizers = require('./transformers/tokenizer.js');

module.exports = {
  ...math, ...models, ...operations, ...tokenizers, FeatureExtractionPipeline, LogLevel, ModelRegistry, Tensor, env, pipeline,
};
