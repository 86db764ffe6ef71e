// Tokenizers and models of transformers.js, as far as embedding needs them.

import type { PretrainedModelOptions, PretrainedTokenizerOptions } from '../transformers.js';
import type { Tensor } from './tensor.js';

export interface TokenizerCallOptions {
  text_pair?: string | string[] | null;
  padding?: boolean | 'max_length';
  add_special_tokens?: boolean;
  truncation?: boolean | null;
  max_length?: number | null;
  /** Default: true. */
  return_tensor?: boolean;
  return_token_type_ids?: boolean | null;
  /** [begin, end] of each token in the text, in UTF-16 units. */
  return_offsets_mapping?: boolean;
}

/** Of `return_tensor: false` they are arrays. */
export interface BatchEncoding<T = Tensor> {
  input_ids: T;
  attention_mask: T;
  token_type_ids?: T;
  offset_mapping?: any;
}

export interface PreTrainedTokenizer {
  (text: string, options: TokenizerCallOptions & { return_tensor: false }): BatchEncoding<number[]>;
  (text: string[], options: TokenizerCallOptions & { return_tensor: false }): BatchEncoding<number[][]>;
  (text: string | string[], options?: TokenizerCallOptions): BatchEncoding<Tensor>;
  /** Most tokens that the model takes. */
  readonly model_max_length: number;
  readonly all_special_ids: number[];
  readonly all_special_tokens: string[];
  padding_side: 'left' | 'right';
  return_token_type_ids: boolean;
  readonly mask_token: string | null;
  readonly mask_token_id: number | undefined;
  readonly pad_token: string | null;
  readonly pad_token_id: number | undefined;
  readonly sep_token: string | null;
  readonly sep_token_id: number | undefined;
  readonly unk_token: string | null;
  readonly unk_token_id: number | undefined;
  readonly bos_token: string | null;
  readonly bos_token_id: number | undefined;
  readonly eos_token: string | null;
  readonly eos_token_id: number | undefined;
  readonly cls_token: string | null;
  readonly cls_token_id: number | undefined;
  /** The entries of a text's tokens. */
  tokenize(text: string, options?: { pair?: string | null; add_special_tokens?: boolean }): string[];
  encode(text: string, options?: { text_pair?: string | null; add_special_tokens?: boolean }): number[];
  decode(
    token_ids: number[] | bigint[] | Tensor,
    options?: { skip_special_tokens?: boolean; clean_up_tokenization_spaces?: boolean | null },
  ): string;
  batch_decode(
    batch: number[][] | Tensor,
    options?: { skip_special_tokens?: boolean; clean_up_tokenization_spaces?: boolean | null },
  ): string[];
  get_vocab(): Map<string, number>;
  convert_tokens_to_ids(tokens: string): number | undefined;
  convert_tokens_to_ids(tokens: string[]): (number | undefined)[];
}

export interface PreTrainedModel {
  (inputs: Record<string, any>): Promise<any>;
  forward(inputs: Record<string, any>): Promise<any>;
  readonly config: Record<string, any>;
  readonly main_input_name: string;
  /** Unloads the model. */
  dispose(): Promise<any>;
}

export interface PretrainedClass<T, Options> {
  readonly prototype: T;
  from_pretrained(pretrained_model_name_or_path: string, options?: Options): Promise<T>;
}

export const PreTrainedTokenizer: PretrainedClass<PreTrainedTokenizer, PretrainedTokenizerOptions>;
export const BertTokenizer: PretrainedClass<PreTrainedTokenizer, PretrainedTokenizerOptions>;
export const AutoTokenizer: PretrainedClass<PreTrainedTokenizer, PretrainedTokenizerOptions>;
export const PreTrainedModel: PretrainedClass<PreTrainedModel, PretrainedModelOptions>;
export const BertModel: PretrainedClass<PreTrainedModel, PretrainedModelOptions>;
export const AutoModel: PretrainedClass<PreTrainedModel, PretrainedModelOptions>;
