// thimble/transformers for import.
import transformers from './transformers.js';

export const { FeatureExtractionPipeline, Tensor, cos_sim, dot, env, magnitude, pipeline } = transformers;
