// The tokenizers of transformers.js, as far as embedding needs them: tokens are those of the Rust `tokenizers` library.
'use strict';

const { engineOf } = require('../embedder.js');
const { describe, invalid, unsupported } = require('../errors.js');
const { checkInteger, checkStrings } = require('../options.js');
const { Callable } = require('./callable.js');
const { decodeTokens } = require('./decode.js');
const { openAnyDtype } = require('./pretrained.js');
const { Tensor } = require('./tensor.js');
const { unitRanges } = require('./offsets.js');

// The roles that each tokenizer has as NAME_token and NAME_token_id. BERT has no beginning or end of a sequence.
const ROLES = ['mask', 'pad', 'sep', 'unk', 'bos', 'eos', 'cls'];

class PreTrainedTokenizer extends Callable {
  #engine;
  #special;
  #entries;
  #joining;
  #ids;

  return_token_type_ids = false;
  padding_side = 'right';

  // Of thimble's own layers; users have from_pretrained().
  constructor(embedder) {
    super();
    this.#engine = engineOf(embedder);
    if (this.#engine?.tokenize === undefined) {
      throw unsupported('tokenizer: only models of thimble have one; get it by AutoTokenizer.from_pretrained');
    }
    this.#special = this.#engine.specialTokens();
    for (const role of ROLES) {
      this[`${role}_token`] = this.#special[role]?.text ?? null;
      this[`${role}_token_id`] = this.#special[role]?.id;
    }
    const special = Object.values(this.#special).sort((a, b) => a.id - b.id);
    this.all_special_ids = special.map(({ id }) => id);
    this.all_special_tokens = special.map(({ text }) => text);
  }

  static async from_pretrained(name, options = {}) {
    const embedder = await openAnyDtype(name, options ?? {});
    return new this(embedder);
  }

  get model_max_length() {
    return this.#engine.info.modelMaxLength;
  }

  // The entry of each id.
  get #vocabulary() {
    if (!this.#entries) ({ entries: this.#entries, joining: this.#joining } = this.#engine.vocabulary());
    return this.#entries;
  }

  // Entries and their ids.
  get_vocab() {
    this.#ids ??= new Map(this.#vocabulary.map((entry, id) => [entry, id]).filter(([entry]) => entry !== ''));
    return new Map(this.#ids);
  }

  convert_tokens_to_ids(tokens) {
    if (this.#ids === undefined) this.get_vocab();
    return Array.isArray(tokens) ? tokens.map((token) => this.#ids.get(token)) : this.#ids.get(tokens);
  }

  // {input_ids, attention_mask, token_type_ids?} as tensors of [texts][tokens], or as arrays. With
  // `return_offsets_mapping` also offset_mapping, arrays of [begin, end) for each token, in UTF-16 units.
  _call(text, options = {}) {
    const { padding = false, max_length = null, return_tensor = true } = options;
    const texts = checkTexts(text);
    const rows = this.#encode(texts, pairsOf(text, options.text_pair ?? null), {
      specialTokens: options.add_special_tokens ?? true, offsets: options.return_offsets_mapping ?? false,
      typeIds: options.return_token_type_ids ?? this.return_token_type_ids,
    });
    const { truncation, most } = this.#limitOf(rows, padding, options.truncation ?? null, max_length);
    for (const row of rows) {
      if (truncation && row.length > most) cut(row, most);
      if (padding && row.length < most) this.#pad(row, most);
    }
    return return_tensor ? tensorsOf(rows) : arraysOf(rows, Array.isArray(text));
  }

  encode(text, { text_pair = null, add_special_tokens = true } = {}) {
    const [row] = this.#encode(checkTexts(text), pairsOf(text, text_pair), { specialTokens: add_special_tokens });
    return Array.from(row.fields.input_ids);
  }

  // The entries of a text's tokens.
  tokenize(text, { pair = null, add_special_tokens = false } = {}) {
    return this.encode(text, { text_pair: pair, add_special_tokens }).map((id) => this.#vocabulary[id]);
  }

  // Special tokens are those of all_special_ids.
  decode(ids, { skip_special_tokens = false, clean_up_tokenization_spaces = null } = {}) {
    const list = ids instanceof Tensor ? rowOf(ids) : ids;
    if (!Array.isArray(list) || list.length === 0) {
      throw invalid(`decode: expected token ids as an array or a tensor that is not empty, found ${describe(list)}`);
    }
    const kept = list.map((id, i) => {
      if (typeof id === 'bigint' || Number.isInteger(id)) return Number(id);
      throw invalid(`decode: expected integers, found ${describe(id)} at ${i}`);
    });
    const shown = skip_special_tokens ? kept.filter((id) => !this.all_special_ids.includes(id)) : kept;
    const entries = this.#vocabulary;
    const tokens = shown.map((id) => entries[id] || this.unk_token);
    return decodeTokens(tokens, this.#joining, clean_up_tokenization_spaces ?? true);
  }

  batch_decode(batch, options = {}) {
    const lists = batch instanceof Tensor ? batch.tolist() : batch;
    if (!Array.isArray(lists)) throw invalid(`batch_decode: expected arrays of token ids, found ${describe(batch)}`);
    return lists.map((ids) => this.decode(ids, options));
  }

  // For each text {length, fields, offsets?}: the tokens' numbers by the names of the result.
  #encode(texts, pairs, { specialTokens, offsets = false, typeIds = false }) {
    const wanted = { specialTokens: Boolean(specialTokens), offsets: Boolean(offsets) };
    const found = this.#engine.tokenize(texts, pairs, wanted);
    let begin = 0;
    return Array.from(found.lengths, (length, i) => {
      const end = begin + length;
      const fields = { input_ids: found.ids.subarray(begin, end), attention_mask: new Uint8Array(length).fill(1) };
      const types = found.typeIds.subarray(begin, end);
      if (typeIds) fields.token_type_ids = types;
      const row = { length, fields };
      if (offsets) {
        row.offsets = unitRanges([texts[i], pairs?.[i] ?? ''], types, found.offsets.subarray(2 * begin, 2 * end));
      }
      begin = end;
      return row;
    });
  }

  // Which rows are cut and padded, and to how many tokens, by the rules of transformers.js.
  #limitOf(rows, padding, truncation, maxLength) {
    checkInteger(maxLength ?? undefined, 'max_length', 0);
    let most = maxLength ?? this.model_max_length;
    if (maxLength !== null && truncation === null) {
      if (padding === true) most = this.model_max_length;
      if (padding === false) truncation = true;
    }
    if (padding === true) most = Math.min(most, Math.max(...rows.map(({ length }) => length)));
    return { truncation: Boolean(truncation), most: Math.min(most, this.model_max_length) };
  }

  #pad(row, length) {
    if (this.pad_token_id === undefined) {
      throw unsupported(`padding: ${this.#engine.info.name} has no token for it; leave padding out`);
    }
    const at = this.padding_side === 'right' ? 0 : length - row.length;
    for (const [name, values] of Object.entries(row.fields)) {
      const padded = new values.constructor(length).fill(name === 'input_ids' ? this.pad_token_id : 0);
      padded.set(values, at);
      row.fields[name] = padded;
    }
    if (row.offsets) {
      const none = Array.from({ length: length - row.length }, () => [0, 0]);
      row.offsets = at === 0 ? [...row.offsets, ...none] : [...none, ...row.offsets];
    }
    row.length = length;
  }
}

class BertTokenizer extends PreTrainedTokenizer {
  return_token_type_ids = true;
}

class AutoTokenizer {
  static async from_pretrained(name, options = {}) {
    return BertTokenizer.from_pretrained(name, options);
  }
}

// The texts as an array, of which there is at least one.
function checkTexts(text) {
  if (!Array.isArray(text)) {
    if (typeof text !== 'string') throw invalid(`text: expected a string, found ${describe(text)}`);
    return [text];
  }
  if (text.length === 0) throw invalid('text: expected a string or an array of strings, found an empty array');
  return checkStrings(text, 'text');
}

// The second text of each, or none at all; an empty one is none, as in transformers.js.
function pairsOf(text, pair) {
  if (pair === null) return undefined;
  if (Array.isArray(text) !== Array.isArray(pair)) {
    const expected = Array.isArray(text) ? 'an array' : 'a string';
    throw invalid(`text_pair: expected ${expected} as text is one, found ${describe(pair)}`);
  }
  const pairs = Array.isArray(pair) ? pair : [pair];
  if (Array.isArray(text) && pairs.length !== text.length) {
    throw invalid(`text_pair: expected ${text.length} texts as in text, found ${pairs.length}`);
  }
  return pairs.map((value, i) => {
    if (value === null || value === undefined || typeof value === 'string') return value || null;
    throw invalid(`text_pair[${i}]: expected a string, found ${describe(value)}`);
  });
}

function cut(row, length) {
  for (const [name, values] of Object.entries(row.fields)) row.fields[name] = values.subarray(0, length);
  if (row.offsets) row.offsets.length = length;
  row.length = length;
}

function tensorsOf(rows) {
  const [{ length, fields }] = rows;
  const other = rows.findIndex((row) => row.length !== length);
  if (other !== -1) {
    throw invalid(`text: a tensor needs texts of as many tokens, found ${length} and ${rows[other].length}; ` +
      'pass padding: true and truncation: true, or return_tensor: false');
  }
  const result = {};
  for (const name of Object.keys(fields)) {
    const values = new BigInt64Array(rows.length * length);
    rows.forEach((row, i) => row.fields[name].forEach((value, k) => (values[i * length + k] = BigInt(value))));
    result[name] = new Tensor('int64', values, [rows.length, length]);
  }
  if (rows[0].offsets) result.offset_mapping = rows.map(({ offsets }) => offsets);
  return result;
}

function arraysOf(rows, batched) {
  const result = {};
  for (const name of Object.keys(rows[0].fields)) {
    const lists = rows.map(({ fields }) => Array.from(fields[name]));
    result[name] = batched ? lists : lists[0];
  }
  if (rows[0].offsets) result.offset_mapping = batched ? rows.map(({ offsets }) => offsets) : rows[0].offsets;
  return result;
}

// The ids of a tensor of one row.
function rowOf(tensor) {
  if (tensor.dims.length === 1) return tensor.tolist();
  if (tensor.dims.length === 2 && tensor.dims[0] === 1) return tensor.tolist()[0];
  throw invalid(`decode: expected a tensor of one row, found dims ${JSON.stringify(tensor.dims)}; use batch_decode`);
}

module.exports = { AutoTokenizer, BertTokenizer, PreTrainedTokenizer };
