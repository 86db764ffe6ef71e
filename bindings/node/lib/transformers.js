// What transformers.js has for feature extraction, on thimble: the same calls, defaults and results.
'use strict';

const { env } = require('./transformers/env.js');
const { cos_sim, dot, magnitude } = require('./transformers/math.js');
const { FeatureExtractionPipeline, pipeline } = require('./transformers/pipeline.js');
const { Tensor } = require('./transformers/tensor.js');

module.exports = { FeatureExtractionPipeline, Tensor, cos_sim, dot, env, magnitude, pipeline };
