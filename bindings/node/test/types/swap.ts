// Code as it is written for transformers.js, with the types that it names.

import {
  AutoModel, AutoTokenizer, FeatureExtractionPipeline, ModelRegistry, PreTrainedModel, PreTrainedTokenizer, Tensor, cat, cos_sim, dot,
  env, layer_norm, matmul, mean_pooling, pipeline, topk,
} from 'thimble/transformers';
import type {
  DataType, DeviceType, FeatureExtractionPipelineOptions, PipelineType, PretrainedModelOptions, PretrainedTokenizerOptions,
  ProgressCallback, ProgressInfo,
} from 'thimble/transformers';

env.cacheDir = './models';
env.localModelPath = './models';
env.allowRemoteModels = true;
env.allowLocalModels = true;
if (env.backends.onnx.wasm) env.backends.onnx.wasm.numThreads = 1;

const dtype: DataType = 'q8';
const device: DeviceType = 'cpu';
const settings: PretrainedModelOptions = { dtype, device, cache_dir: './models', session_options: { intraOpNumThreads: 1 } };
const progress: ProgressCallback = (info: ProgressInfo) => {
  if (info.status === 'progress') console.log(info.file, info.progress, info.loaded / info.total);
  if (info.status === 'ready') console.log(info.model);
};

// The usual way to make one when it is first needed.
class Embeddings {
  static task: PipelineType = 'feature-extraction';
  static instance: Promise<FeatureExtractionPipeline> | null = null;
  private tokenizer: PreTrainedTokenizer | undefined;
  private model: PreTrainedModel | null = null;

  static get(progress_callback?: ProgressCallback): Promise<FeatureExtractionPipeline> {
    this.instance ??= pipeline('feature-extraction', 'Xenova/all-MiniLM-L6-v2', { ...settings, progress_callback });
    return this.instance;
  }

  async open(name: string, options: PretrainedTokenizerOptions): Promise<void> {
    this.tokenizer = await AutoTokenizer.from_pretrained(name, options);
    this.model = await AutoModel.from_pretrained(name, { dtype: { model: 'fp32' }, device: null });
  }

  async embed(texts: string[]): Promise<number[][]> {
    if (!this.tokenizer || !this.model) throw new Error('open() comes first');
    const inputs = await this.tokenizer(texts, { padding: true, truncation: true });
    const { last_hidden_state } = await this.model(inputs);
    return mean_pooling(last_hidden_state, inputs.attention_mask).normalize(2, -1).tolist();
  }
}

export async function use(): Promise<void> {
  const extractor = await Embeddings.get(progress);
  const options: FeatureExtractionPipelineOptions = { pooling: 'mean', normalize: true };
  const output: Tensor = await extractor(['a', 'b'], options);
  const numbers: number[] = Array.from(output.data);
  const floats: Float32Array = output.data as Float32Array;
  const rows: number[][] = output.tolist();
  const cosine: number = cos_sim(rows[0]!, Array.from(floats)) + dot(floats, floats);
  const shorter = layer_norm(output, [output.dims[1]!]).slice(null, [0, 256]).normalize(2, -1);
  const [values, places] = await topk(await matmul(output, shorter.transpose(1, 0)), 3);
  const total: number | bigint = cat([values!, places!]).sum(1).mean().item();
  const ids: number[] = extractor.tokenizer.encode('a');
  const text: string = extractor.tokenizer.decode(ids, { skip_special_tokens: true });
  const missing = !(await ModelRegistry.is_cached('Xenova/all-MiniLM-L6-v2', { dtype: 'q8' }));
  await extractor.dispose();
  void [numbers, cosine, total, text, missing, extractor.model.config];
}
