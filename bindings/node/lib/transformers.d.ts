// What transformers.js has for the task feature-extraction, with the same defaults: no pooling, no normalising, 512
// tokens, fp32.

import type { Embedder } from './index.js';

export type DataType = 'float32' | 'int8' | 'uint8';
export type DataArray = Float32Array | Int8Array | Uint8Array;

/** Values with dimensions. tensor[i], and iteration, give the parts along the first dimension. */
export class Tensor {
  constructor(type: DataType, data: DataArray, dims: number[]);
  readonly type: DataType;
  readonly data: DataArray;
  readonly dims: number[];
  readonly size: number;
  readonly location: 'cpu';
  [index: number]: any;
  [Symbol.iterator](): Generator<any, void, unknown>;
  /** Nested arrays of numbers. */
  tolist(): any[];
  /** One argument for each dimension, a copy: null is all of it, a number takes that part and drops the dimension,
   * [begin, end] a range. */
  slice(...slices: (number | [number | null, number | null] | null)[]): Tensor;
  /** Rows of the last dimension with unit length, as a copy. */
  normalize(p?: 2, dim?: number): Tensor;
  clone(): Tensor;
  /** Does nothing: values need not be given back. */
  dispose(): void;
}

export interface FeatureExtractionOptions {
  /** Default: none, which gives the vectors of the tokens as [texts][longest][dimensions], zeros behind shorter texts. */
  pooling?: 'none' | 'mean' | 'cls' | 'first_token' | 'last_token' | 'eos';
  /** Default: false. */
  normalize?: boolean;
  /** Packs one bit of each value into bytes. Default: false. */
  quantize?: boolean;
  precision?: 'binary' | 'ubinary';
}

export interface FeatureExtractionPipeline {
  (texts: string | string[], options?: FeatureExtractionOptions): Promise<Tensor>;
  readonly task: 'feature-extraction';
  readonly embedder: Embedder;
  /** Unloads the model. */
  dispose(): Promise<void>;
}
export const FeatureExtractionPipeline: { readonly prototype: FeatureExtractionPipeline };

export interface PipelineOptions {
  /** Default: fp32. int8 and uint8 are q8, q4f16 and bnb4 are q4. */
  dtype?: 'auto' | 'fp32' | 'fp16' | 'q8' | 'int8' | 'uint8' | 'q6' | 'q4' | 'q4-small' | 'q4f16' | 'bnb4' | null;
  quantized?: boolean;
  /** Where models are; default env.cacheDir, or thimble's own folder. */
  cache_dir?: string | null;
  progress_callback?: ((progress: any) => void) | null;
  /** Whether a model that is not there is pulled. Default: false, whatever env says. */
  download?: boolean;
  /** A branch, a tag or a commit. Default: main. */
  revision?: string;
  /** Forbids the download. */
  local_files_only?: boolean;
  /** Taken and not looked at: device, session_options and what else transformers.js has. */
  [option: string]: unknown;
}

export function pipeline(
  task: 'feature-extraction' | 'embeddings',
  model?: string | null,
  options?: PipelineOptions,
): Promise<FeatureExtractionPipeline>;

export const env: {
  version: string;
  /** The folder of models, where it is set. */
  cacheDir: string | null;
  [setting: string]: any;
};

/** The cosine of the angle between two vectors of one length. */
export function cos_sim(a: ArrayLike<number>, b: ArrayLike<number>): number;
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number;
export function magnitude(vector: ArrayLike<number>): number;
