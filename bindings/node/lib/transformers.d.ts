// The API of transformers.js for the task feature-extraction, with the same defaults: no pooling, no normalisation, 512
// tokens, fp32.

import type { Embedder } from './index.js';
import type { Tensor } from './transformers/tensor.js';
import type { PreTrainedModel, PreTrainedTokenizer } from './transformers/tokenizer.js';

export * from './transformers/tensor.js';
export * from './transformers/tokenizer.js';

/** int8 and uint8 are q8, q4f16 and bnb4 are q4; auto is fp32. q6 and q4-small exist only in thimble. */
export type DataType =
  | 'auto' | 'fp32' | 'fp16' | 'q8' | 'int8' | 'uint8' | 'q4' | 'bnb4' | 'q4f16' | 'q6' | 'q4-small';
/** thimble computes on the CPU, also for wasm, whose default dtype is q8. It refuses other devices. */
export type DeviceType =
  | 'auto' | 'cpu' | 'wasm' | 'gpu' | 'webgpu' | 'cuda' | 'dml' | 'coreml' | 'webnn' | 'webnn-npu' | 'webnn-gpu' | 'webnn-cpu';

/** `file` is the file of weights that transformers.js would read, `loaded` and `total` are bytes, `progress` is 0 to 100. */
export type ProgressInfo =
  | { status: 'initiate' | 'download' | 'done'; name: string; file: string }
  | { status: 'progress'; name: string; file: string; progress: number; loaded: number; total: number }
  | {
      status: 'progress_total'; name: string; progress: number; loaded: number; total: number;
      files: Record<string, { loaded: number; total: number }>;
    }
  | { status: 'ready'; task: string; model: string };
export type ProgressCallback = (progressInfo: ProgressInfo) => void;

export interface PretrainedOptions {
  progress_callback?: ProgressCallback | null;
  /** Ignored: that of the model applies. */
  config?: any;
  /** Folder for new models, and the first place to look. Default: env.cacheDir, or thimble's own folder. */
  cache_dir?: string | null;
  /** Forbids the download. */
  local_files_only?: boolean;
  /** A branch, a tag or a commit, of models from the hub. Default: main. */
  revision?: string;
  /** Whether a model that is not on this machine is downloaded. Default: env.allowRemoteModels. */
  download?: boolean;
}
export type PretrainedTokenizerOptions = PretrainedOptions;

export interface PretrainedModelOptions extends PretrainedOptions {
  /** Default: fp32, or q8 on wasm. If it is an object, its value for `model` counts. */
  dtype?: DataType | Record<string, DataType> | null;
  device?: DeviceType | Record<string, DeviceType> | null;
  /** From @xenova/transformers: without dtype, true is q8 and false is fp32. */
  quantized?: boolean | null;
  /** A name that contains a dtype, such as model_quantized, selects that dtype; other names are refused. */
  model_file_name?: string | null;
  subfolder?: string | null;
  /** The following are ignored. */
  use_external_data_format?: boolean | number | Record<string, boolean | number> | null;
  session_options?: Record<string, any>;
}

export interface FeatureExtractionPipelineOptions {
  /** Default: none, which returns the vectors of the tokens as [texts][longest][dimensions], padded with zeros. */
  pooling?: 'none' | 'mean' | 'cls' | 'first_token' | 'last_token' | 'eos';
  /** Default: false. */
  normalize?: boolean;
  /** Packs one bit of each value into bytes. Default: false. */
  quantize?: boolean;
  precision?: 'binary' | 'ubinary';
}

export interface FeatureExtractionPipeline {
  (texts: string | string[], options?: FeatureExtractionPipelineOptions): Promise<Tensor>;
  _call(texts: string | string[], options?: FeatureExtractionPipelineOptions): Promise<Tensor>;
  readonly task: string;
  readonly model: PreTrainedModel;
  tokenizer: PreTrainedTokenizer;
  readonly embedder: Embedder;
  /** Unloads the model. Later calls fail. */
  dispose(): Promise<void>;
}
export const FeatureExtractionPipeline: { readonly prototype: FeatureExtractionPipeline };
export type FeatureExtractionPipelineType = FeatureExtractionPipeline;

export type TaskType = 'feature-extraction';
export type AliasType = 'embeddings';
export type PipelineType = TaskType | AliasType;
export type AllTasks = Record<PipelineType, FeatureExtractionPipeline>;

export function pipeline<T extends PipelineType>(
  task: T,
  model?: string | null,
  options?: PretrainedModelOptions,
): Promise<AllTasks[T]>;

export const LogLevel: Readonly<{ DEBUG: 10; INFO: 20; WARNING: 30; ERROR: 40; NONE: 50 }>;

export interface TransformersEnvironment {
  readonly version: string;
  /** Whether downloads are allowed. Default: true if THIMBLE_DOWNLOAD is 1. */
  allowRemoteModels: boolean;
  /** Whether localModelPath is used. Default: true. */
  allowLocalModels: boolean;
  /** A folder of models in the layout of Hugging Face, ORGANISATION/NAME. Default: none. */
  localModelPath: string;
  /** Folder for new models, and the first place to look. Default: thimble's own folder. */
  cacheDir: string | null;
  /** Must equal HF_ENDPOINT if that is set. */
  remoteHost: string;
  remotePathTemplate: string;
  /** The following, and any other settings, are ignored. */
  backends: { onnx: any; [name: string]: any };
  logLevel: number;
  useFS: boolean;
  useFSCache: boolean;
  useBrowserCache: boolean;
  useCustomCache: boolean;
  customCache: any;
  [setting: string]: any;
}
export const env: TransformersEnvironment;

/** The models on this machine. A model is one file, with the name that progress_callback receives. */
export class ModelRegistry {
  private constructor();
  static get_files(modelId: string, options?: PretrainedModelOptions): Promise<string[]>;
  static get_pipeline_files(task: string, modelId: string, options?: PretrainedModelOptions): Promise<string[]>;
  static get_available_dtypes(modelId: string, options?: PretrainedModelOptions): Promise<DataType[]>;
  /** Whether pipeline() works without a download. Converts the model if necessary. */
  static is_cached(modelId: string, options?: PretrainedModelOptions): Promise<boolean>;
  static is_pipeline_cached(task: string, modelId: string, options?: PretrainedModelOptions): Promise<boolean>;
  static is_cached_files(modelId: string, options?: PretrainedModelOptions): Promise<CacheCheckResult>;
  static is_pipeline_cached_files(task: string, modelId: string, options?: PretrainedModelOptions): Promise<CacheCheckResult>;
  /** Removes the model from cache_dir, env.cacheDir or thimble's own folder, never from caches of other programs. */
  static clear_cache(modelId: string, options?: PretrainedModelOptions): Promise<CacheClearResult>;
  static clear_pipeline_cache(task: string, modelId: string, options?: PretrainedModelOptions): Promise<CacheClearResult>;
}
export interface CacheCheckResult {
  allCached: boolean;
  files: { file: string; cached: boolean }[];
}
export interface CacheClearResult {
  filesDeleted: number;
  filesCached: number;
  files: { file: string; deleted: boolean; wasCached: boolean }[];
}
