// The models of transformers.js: from token ids to the vectors of tokens.
'use strict';

const { engineOf } = require('../embedder.js');
const { describe, invalid, unsupported } = require('../errors.js');
const { Callable } = require('./callable.js');
const { openPretrained } = require('./pretrained.js');
const { Tensor } = require('./tensor.js');


class PreTrainedModel extends Callable {
  #embedder;
  #engine;

  main_input_name = 'input_ids';

  // Of thimble's own layers; users have from_pretrained().
  constructor(embedder) {
    super();
    this.#engine = engineOf(embedder);
    if (this.#engine?.embedIds === undefined) {
      throw unsupported('model: only models of thimble can be called; get one by AutoModel.from_pretrained');
    }
    this.#embedder = embedder;
    const { tokenDimensions, layers, heads, positions, vocabulary } = embedder.info;
    this.config = {
      model_type: 'bert', hidden_size: tokenDimensions, num_hidden_layers: layers, num_attention_heads: heads,
      max_position_embeddings: positions, vocab_size: vocabulary,
    };
  }

  static async from_pretrained(name, options = {}) {
    return new this(await openPretrained(name, options ?? {}));
  }

  // {last_hidden_state}: [texts][tokens][hidden_size], zeros for padding.
  async _call(inputs) {
    const rows = sequencesOf(inputs ?? {});
    const [count, length] = inputs.input_ids.dims;
    const width = this.config.hidden_size;
    const data = new Float32Array(count * length * width);
    for (let i = 0; i < count; ++i) data.set(await this.#engine.embedIds(rows[i]), i * length * width);
    return { last_hidden_state: new Tensor('float32', data, [count, length, width]) };
  }

  async forward(inputs) {
    return this._call(inputs);
  }

  // Unloads the model.
  async dispose() {
    await this.#embedder.unload();
  }
}

class BertModel extends PreTrainedModel {}

class AutoModel {
  static async from_pretrained(name, options = {}) {
    return BertModel.from_pretrained(name, options);
  }
}

// The ids of each sequence without its padding, as Int32Arrays.
function sequencesOf({ input_ids: ids, attention_mask: mask, token_type_ids: types }) {
  const found = (value) => (value instanceof Tensor ? `dims ${JSON.stringify(value.dims)}` : describe(value));
  if (!(ids instanceof Tensor) || ids.dims.length !== 2) {
    throw invalid(`input_ids: expected a tensor of dims [texts, tokens], found ${found(ids)}`);
  }
  for (const [name, tensor] of Object.entries({ attention_mask: mask, token_type_ids: types })) {
    if (tensor === undefined || tensor === null) continue;
    if (tensor instanceof Tensor && tensor.dims.join() === ids.dims.join()) continue;
    throw invalid(`${name}: expected a tensor of the ${found(ids)} of input_ids, found ${found(tensor)}`);
  }
  const [count, length] = ids.dims;
  return Array.from({ length: count }, (_, i) => {
    const row = (tensor) => tensor.data.subarray(i * length, (i + 1) * length);
    const tokens = mask ? tokensOf(row(mask), i) : length;
    if (types) {
      const other = row(types).subarray(0, tokens).findIndex((type) => Number(type) !== 0);
      if (other !== -1) {
        throw unsupported(`token_type_ids[${i}][${other}]: expected 0, found ${row(types)[other]}; ` +
          'a model file of thimble has the vectors of token type 0 alone');
      }
    }
    return Int32Array.from(row(ids).subarray(0, tokens), (id, k) => {
      const number = Number(id);
      if (number === (number | 0)) return number;
      throw invalid(`input_ids[${i}][${k}]: expected a token id, found ${describe(id)}`);
    });
  });
}

// Tokens of a row of the mask: ones, and behind them zeros.
function tokensOf(mask, i) {
  const end = mask.findIndex((value) => Number(value) !== 1);
  const tokens = end === -1 ? mask.length : end;
  const other = mask.subarray(tokens).findIndex((value) => Number(value) !== 0);
  if (tokens > 0 && other === -1) return tokens;
  throw unsupported(`attention_mask[${i}]: expected ones and behind them zeros, found ` +
    `${tokens === 0 ? `${mask[0]} first` : `${mask[tokens + other]} at ${tokens + other}`}; pad on the right`);
}

module.exports = { AutoModel, BertModel, PreTrainedModel };
