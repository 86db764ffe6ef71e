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
  readonly tokenizer: PreTrainedTokenizer;
  readonly model: PreTrainedModel;
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

export interface TokenizerOptions {
  /** The second text of each. */
  text_pair?: string | string[] | null;
  /** true: to the longest text; 'max_length': to max_length. Default: false. */
  padding?: boolean | 'max_length';
  /** Default: true. */
  add_special_tokens?: boolean;
  /** Whether texts lose the tokens behind max_length, the special ones behind them first. */
  truncation?: boolean | null;
  /** Default: model_max_length. */
  max_length?: number | null;
  /** Default: true. */
  return_tensor?: boolean;
  /** Default: that of the tokenizer. */
  return_token_type_ids?: boolean | null;
  /** Adds offset_mapping. thimble alone has it. */
  return_offsets_mapping?: boolean;
}

/** Tensors of [texts][tokens], or with `return_tensor: false` arrays like the texts. */
export interface BatchEncoding<Item = Tensor> {
  input_ids: Item;
  attention_mask: Item;
  token_type_ids?: Item;
  /** [begin, end) of each token in UTF-16 units; [0, 0] for special tokens and padding. */
  offset_mapping?: any;
}

export interface TokenizerDecodeOptions {
  skip_special_tokens?: boolean;
  clean_up_tokenization_spaces?: boolean | null;
}

export interface PreTrainedTokenizer {
  (text: string, options: TokenizerOptions & { return_tensor: false }): BatchEncoding<number[]>;
  (text: string[], options: TokenizerOptions & { return_tensor: false }): BatchEncoding<number[][]>;
  (text: string | string[], options?: TokenizerOptions): BatchEncoding;
  return_token_type_ids: boolean;
  padding_side: 'left' | 'right';
  readonly model_max_length: number;
  mask_token: string | null;
  mask_token_id: number | undefined;
  pad_token: string | null;
  pad_token_id: number | undefined;
  sep_token: string | null;
  sep_token_id: number | undefined;
  unk_token: string | null;
  unk_token_id: number | undefined;
  bos_token: string | null;
  bos_token_id: number | undefined;
  eos_token: string | null;
  eos_token_id: number | undefined;
  cls_token: string | null;
  cls_token_id: number | undefined;
  all_special_ids: number[];
  all_special_tokens: string[];
  /** Ids, special tokens included. */
  encode(text: string, options?: { text_pair?: string | null; add_special_tokens?: boolean }): number[];
  /** Entries of the vocabulary. */
  tokenize(text: string, options?: { pair?: string | null; add_special_tokens?: boolean }): string[];
  decode(ids: number[] | bigint[] | Tensor, options?: TokenizerDecodeOptions): string;
  batch_decode(batch: number[][] | Tensor, options?: TokenizerDecodeOptions): string[];
  convert_tokens_to_ids(tokens: string): number | undefined;
  convert_tokens_to_ids(tokens: string[]): (number | undefined)[];
  get_vocab(): Map<string, number>;
}

/** The options of pipeline(); of the model any dtype on this machine will do. */
export type PretrainedOptions = PipelineOptions;

export const PreTrainedTokenizer: {
  readonly prototype: PreTrainedTokenizer;
  from_pretrained(name: string, options?: PretrainedOptions): Promise<PreTrainedTokenizer>;
};
export interface BertTokenizer extends PreTrainedTokenizer {}
export const BertTokenizer: typeof PreTrainedTokenizer;
export const AutoTokenizer: { from_pretrained(name: string, options?: PretrainedOptions): Promise<PreTrainedTokenizer> };

export interface ModelInputs {
  /** [texts][tokens], 'int64'. */
  input_ids: Tensor;
  /** Ones and behind them zeros in each row, which are padding. */
  attention_mask?: Tensor;
  /** All zeros: a model file has the vectors of token type 0 alone. */
  token_type_ids?: Tensor;
}

export interface PreTrainedModel {
  /** The vectors of the tokens, [texts][tokens][hidden_size], zeros for padding. */
  (inputs: ModelInputs): Promise<{ last_hidden_state: Tensor }>;
  forward(inputs: ModelInputs): Promise<{ last_hidden_state: Tensor }>;
  readonly main_input_name: 'input_ids';
  config: {
    model_type: string;
    hidden_size: number;
    num_hidden_layers: number;
    num_attention_heads: number;
    max_position_embeddings: number;
    vocab_size: number;
  };
  /** Unloads the model. */
  dispose(): Promise<void>;
}
export const PreTrainedModel: {
  readonly prototype: PreTrainedModel;
  from_pretrained(name: string, options?: PretrainedOptions): Promise<PreTrainedModel>;
};
export interface BertModel extends PreTrainedModel {}
export const BertModel: typeof PreTrainedModel;
export const AutoModel: { from_pretrained(name: string, options?: PretrainedOptions): Promise<PreTrainedModel> };
