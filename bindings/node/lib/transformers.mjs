// thimble/transformers for import.
import transformers from './transformers.js';

export const {
  AutoModel, AutoTokenizer, BertModel, BertTokenizer, FeatureExtractionPipeline, LogLevel, ModelRegistry, PreTrainedModel,
  PreTrainedTokenizer, Tensor, cat, cos_sim, dot, env, full, full_like, layer_norm, log_softmax,
  magnitude, matmul, mean, mean_pooling, ones, ones_like, permute, pipeline, quantize_embeddings, softmax, stack, topk, zeros,
  zeros_like,
} = transformers;
