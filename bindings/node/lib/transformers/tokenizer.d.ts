// Tokenizers and models of transformers.js, as far as embedding needs them.

import type { PretrainedModelOptions, PretrainedTokenizerOptions } from '../transformers.js';
import type { Tensor } from './tensor.js';

export interface TokenizerOptions {
  /** The second text of each. */
  text_pair?: string | string[] | null;
  /** true: to the longest text; 'max_length': to max_length. Default: false. */
  padding?: boolean | 'max_length';
  /** Default: true. */
  add_special_tokens?: boolean;
  /** Cuts texts to max_length tokens; special tokens at the end are cut first. */
  truncation?: boolean | null;
  /** Default: model_max_length. */
  max_length?: number | null;
  /** Default: true. */
  return_tensor?: boolean;
  /** Default: that of the tokenizer. */
  return_token_type_ids?: boolean | null;
  /** Adds offset_mapping. Exists only in thimble. */
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

export interface ModelInputs {
  /** [texts][tokens], 'int64'. */
  input_ids: Tensor;
  /** In each row ones, followed by zeros for padding. */
  attention_mask?: Tensor;
  /** All zeros: model files contain only the vectors of token type 0. */
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

export interface BertTokenizer extends PreTrainedTokenizer {}
export interface BertModel extends PreTrainedModel {}

export interface Pretrained<T, Options> {
  readonly prototype: T;
  from_pretrained(name: string, options?: Options): Promise<T>;
}
export const PreTrainedTokenizer: Pretrained<PreTrainedTokenizer, PretrainedTokenizerOptions>;
export const BertTokenizer: Pretrained<BertTokenizer, PretrainedTokenizerOptions>;
export const AutoTokenizer: Pretrained<PreTrainedTokenizer, PretrainedTokenizerOptions>;
export const PreTrainedModel: Pretrained<PreTrainedModel, PretrainedModelOptions>;
export const BertModel: Pretrained<BertModel, PretrainedModelOptions>;
export const AutoModel: Pretrained<PreTrainedModel, PretrainedModelOptions>;
