// The tokenizers and models of thimble/transformers, against what transformers.js gives with the same tokenizer
// (scripts/goldens/javascript.mjs), and against the pipeline.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeTokens } from '../lib/transformers/decode.js';
import {
  AutoModel, AutoTokenizer, BertModel, BertTokenizer, PreTrainedModel, PreTrainedTokenizer, Tensor, env, pipeline,
} from '../lib/transformers.mjs';
import { DIMENSIONS, modelFolder, root } from './support.mjs';

env.cacheDir = modelFolder();
const golden = JSON.parse(readFileSync(join(root, '../../tests/fixtures/transformers_js.json'), 'utf8'));
const tokenizer = await AutoTokenizer.from_pretrained('small');
const numbers = (value) => JSON.parse(JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? Number(item) : item)));

test('a tokenizer is a callable instance with its special tokens', async () => {
  assert.ok(tokenizer instanceof BertTokenizer && tokenizer instanceof PreTrainedTokenizer && typeof tokenizer === 'function');
  assert.ok(await PreTrainedTokenizer.from_pretrained('small') instanceof PreTrainedTokenizer);
  const found = Object.fromEntries(Object.keys(golden.properties).map((name) => [name, tokenizer[name] ?? null]));
  assert.deepEqual(found, golden.properties);
  assert.deepEqual([tokenizer.cls_token, tokenizer.cls_token_id], ['[CLS]', 2]);
});

test('calls give what transformers.js gives', () => {
  assert.ok(golden.calls.length > 20);
  for (const { text, options, tensors, arrays } of golden.calls) {
    const where = `${JSON.stringify(text).slice(0, 80)} ${JSON.stringify(options)}`;
    const given = structuredClone({ text, options });
    if (tensors === null) {
      assert.throws(() => tokenizer(text, options), /needs texts of as many tokens/, where);
      assert.deepEqual(tokenizer(text, { ...options, return_tensor: false }), arrays, where);
      continue;
    }
    const found = tokenizer(text, options);
    const dimensions = Object.entries(found).map(([name, tensor]) => [name, [tensor.type, tensor.dims, numbers(tensor.tolist())]]);
    assert.deepEqual(Object.fromEntries(dimensions), tensors, where);
    assert.ok(found.input_ids instanceof Tensor && found.input_ids.data instanceof BigInt64Array);
    const unwrap = ([, , rows]) => (Array.isArray(text) ? rows : rows[0]);
    const plain = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, unwrap(tensor)]));
    assert.deepEqual(tokenizer(text, { ...options, return_tensor: false }), plain, where);
    assert.deepEqual({ text, options }, given);
  }
});

test('entries of every kind of vocabulary become a text', () => {
  assert.equal(decodeTokens(['[CLS]', 'un', '##able', '!'], 0, true), '[CLS] unable!');
  assert.equal(decodeTokens(['\u2581Hello', '\u2581wor', 'ld'], 1, false), 'Hello world');
  const bytes = ['Hello', '\u0120world', '\u00c3\u00a9', '\u00c3', '<mask>', '\u65e5'];
  assert.equal(decodeTokens(bytes, 2, false), 'Hello world\u00e9\ufffd<mask>\u65e5');
});

test('tokens, ids and the way back are those of transformers.js', () => {
  for (const { text, tokens, ids, own, decoded, shown, uncleaned } of golden.texts) {
    assert.deepEqual(tokenizer.tokenize(text), tokens);
    assert.deepEqual(tokenizer.encode(text), ids);
    assert.deepEqual(tokenizer.encode(text, { add_special_tokens: false }), own);
    assert.equal(tokenizer.decode(ids), decoded);
    assert.equal(tokenizer.decode(tokenizer(text).input_ids), decoded);
    assert.equal(tokenizer.decode(ids.map(BigInt), { skip_special_tokens: true }), shown);
    assert.equal(tokenizer.decode(ids, { clean_up_tokenization_spaces: false }), uncleaned);
  }
  const batch = golden.texts.map(({ ids }) => ids);
  assert.deepEqual(tokenizer.batch_decode(batch), golden.texts.map(({ decoded }) => decoded));
  const padded = tokenizer(['hello', 'a good day'], { padding: true }).input_ids;
  assert.deepEqual(tokenizer.batch_decode(padded, { skip_special_tokens: true }), ['hello', 'a good day']);
  assert.equal(tokenizer.decode([2, 100000]), '[CLS] [UNK]');
  assert.deepEqual(tokenizer.convert_tokens_to_ids(['hello', '##s', '[SEP]']), golden.ids);
  assert.equal(tokenizer.convert_tokens_to_ids('not there'), undefined);
  const vocabulary = tokenizer.get_vocab();
  assert.ok(vocabulary instanceof Map && vocabulary.get('[MASK]') === 4 && vocabulary.size > 100);
});

test('pads on the left where padding_side says so', async () => {
  const left = await AutoTokenizer.from_pretrained('small');
  left.padding_side = 'left';
  assert.deepEqual(left(['hello', 'the memory of a vector'], { padding: true, return_tensor: false }), golden.left);
});

test('offsets are places in the string', () => {
  const mapping = (text, options) =>
    tokenizer(text, { return_tensor: false, return_offsets_mapping: true, ...options }).offset_mapping;
  const text = 'The \u{1f600}\u00e9 day\u4e2d!';
  const at = (word) => [text.indexOf(word), text.indexOf(word) + word.length];
  assert.deepEqual(mapping(text), [[0, 0], at('The'), at('\u{1f600}\u00e9'), at('day'), at('\u4e2d'), at('!'), [0, 0]]);
  // A character without an entry, half a character, and a second text.
  assert.deepEqual(mapping('\u00bd a'), [[0, 0], [0, 1], [2, 3], [0, 0]]);
  assert.deepEqual(mapping('\ud83d a'), [[0, 0], [2, 3], [0, 0]]);
  assert.deepEqual(mapping('the', { text_pair: '\u00e9 cat' }), [[0, 0], [0, 3], [0, 0], [0, 1], [2, 5], [0, 0]]);
  const batch = tokenizer(['the cat', 'a'], { padding: true, truncation: true, max_length: 3, return_offsets_mapping: true });
  assert.deepEqual(batch.offset_mapping, [[[0, 0], [0, 3], [4, 7]], [[0, 0], [0, 1], [0, 0]]]);
});

test('says what is wrong with texts and ids', () => {
  for (const [call, message] of [
    [() => tokenizer([]), /^text: .* empty array/], [() => tokenizer(null), /^text: .* null/],
    [() => tokenizer(['a', 1]), /^text\[1\]: .* found 1/], [() => tokenizer(['a', , 'b']), /^text\[1\]: .* undefined/],
    [() => tokenizer('a', { text_pair: ['b'] }), /^text_pair: expected a string/],
    [() => tokenizer(['a'], { text_pair: ['b', 'c'] }), /^text_pair: expected 1 texts/],
    [() => tokenizer('a', { max_length: -1 }), /^max_length/], [() => tokenizer.decode([]), /^decode/],
    [() => tokenizer.decode(['a']), /integers/], [() => tokenizer.decode(tokenizer(['a', 'b']).input_ids), /batch_decode/],
  ]) assert.throws(call, { code: 'invalid_argument', message });
});

test('a model gives the vectors of tokens that the pipeline pools', async () => {
  const extractor = await pipeline('feature-extraction', 'small');
  assert.ok(extractor.tokenizer instanceof PreTrainedTokenizer && extractor.tokenizer === extractor.tokenizer);
  const model = await AutoModel.from_pretrained('small');
  assert.ok(model instanceof BertModel && model instanceof PreTrainedModel && extractor.model instanceof PreTrainedModel);
  assert.deepEqual(model.config, {
    model_type: 'bert', hidden_size: DIMENSIONS, num_hidden_layers: 2, num_attention_heads: 2, max_position_embeddings: 128,
    vocab_size: tokenizer.get_vocab().size,
  });
  const texts = ['hello world', 'the memory of a small vector'];
  const inputs = tokenizer(texts, { padding: true, truncation: true });
  const { last_hidden_state: rows } = await model(inputs);
  assert.deepEqual(rows.tolist(), (await extractor(texts)).tolist());
  assert.deepEqual((await extractor.model.forward({ input_ids: tokenizer(texts[0]).input_ids })).last_hidden_state.tolist()[0],
    rows.tolist()[0].slice(0, 4));
});

// As mcp-local-rag does.
test('a pipeline follows the tokenizer that it is given', async () => {
  const extractor = await pipeline('feature-extraction', 'small');
  const own = extractor.tokenizer;
  const texts = ['the memory of a small vector', 'hello'];
  const withOptions = (changed) => new Proxy(own, {
    apply: (target, self, [text, options]) => Reflect.apply(target, self, [text, { ...options, ...changed }]),
  });
  for (const pooling of ['none', 'mean', 'cls', 'last_token']) {
    const expected = await extractor(texts, { pooling, normalize: true });
    extractor.tokenizer = withOptions({});
    const same = await extractor(texts, { pooling, normalize: true });
    assert.deepEqual(same.dims, expected.dims);
    assert.ok(same.data.every((value, i) => Math.abs(value - expected.data[i]) < 1e-6), pooling);
    extractor.tokenizer = withOptions({ max_length: 4 });
    const shorter = await extractor(texts, { pooling });
    assert.ok(pooling === 'none' ? shorter.dims[1] === 4 : shorter.data.some((value, i) => Math.abs(value - expected.data[i]) > 0.01));
    extractor.tokenizer = own;
    assert.deepEqual((await extractor(texts, { pooling, normalize: true })).data, expected.data);
  }
  assert.throws(() => (extractor.tokenizer = null), { code: 'invalid_argument', message: /^tokenizer: expected a function/ });
});

// What is behind the limit goes, the last special token first.
test('long texts lose their last tokens as in transformers.js', async () => {
  const extractor = await pipeline('feature-extraction', 'small');
  const text = 'memory '.repeat(300);
  const inputs = tokenizer(text, { truncation: true });
  assert.deepEqual(inputs.input_ids.dims, [1, 128]);
  assert.notEqual(Number(inputs.input_ids.data.at(-1)), tokenizer.sep_token_id);
  const [rows] = (await extractor.model(inputs)).last_hidden_state.tolist();
  assert.deepEqual((await extractor(text)).tolist(), [rows]);
  assert.deepEqual((await extractor(text, { pooling: 'last_token' })).tolist()[0], rows.at(-1));
  assert.deepEqual((await extractor('a\ud83d')).tolist(), (await extractor('a\ufffd')).tolist());
});

test('a model refuses what its file cannot do', async () => {
  const model = await AutoModel.from_pretrained('small');
  const call = (ids, mask, types) => {
    const tensor = (rows) =>
      rows && new Tensor('int64', BigInt64Array.from(rows.flat().map(BigInt)), [rows.length, rows[0].length]);
    return model({ input_ids: tensor(ids), attention_mask: tensor(mask), token_type_ids: tensor(types) });
  };
  const alone = await call([[2, 5, 3]]);
  // What the mask hides may have any type.
  assert.deepEqual((await call([[2, 5, 3, 0]], [[1, 1, 1, 0]], [[0, 0, 0, 1]])).last_hidden_state.tolist()[0].slice(0, 3),
    alone.last_hidden_state.tolist()[0]);
  for (const [inputs, code, message] of [
    [[[[2, 5, 3]], [[0, 1, 1]]], 'unsupported', /^attention_mask\[0\]: .* found 0 first/],
    [[[[2, 5], [2, 3]], [[1, 1], [0, 0]]], 'unsupported', /^attention_mask\[1\]/],
    [[[[2, 5, 3]], [[1, 0, 1]]], 'unsupported', /found 1 at 2/],
    [[[[2, 5, 3]], undefined, [[0, 1, 1]]], 'unsupported', /^token_type_ids\[0\]\[1\]: expected 0, found 1/],
    [[[[2, 5, 3]], [[1, 1]]], 'invalid_argument', /^attention_mask: .*\[1,3\] of input_ids, found dims \[1,2\]/],
    [[[[2, 5000]]], 'invalid_argument', /token id 5000/],
    [[[[2, 2 ** 40]]], 'invalid_argument', /^input_ids\[0\]\[1\]: expected a token id/],
    [[[Array(129).fill(2)]], 'invalid_argument', /expected 1 to 128, found 129/],
  ]) await assert.rejects(call(...inputs), { code, message });
  await assert.rejects(model(), { code: 'invalid_argument', message: /^input_ids: expected a tensor/ });
});

test('a mock has neither tokens nor their vectors', async () => {
  await assert.rejects(AutoTokenizer.from_pretrained('mock'), { code: 'unsupported' });
});
