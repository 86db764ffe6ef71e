// Writes tests/fixtures/transformers_js.json: what transformers.js gives with the tokenizer of the tests' random model.
//
//   build/make_test_model FOLDER
//   node scripts/goldens/javascript.mjs PEERS FOLDER/source > tests/fixtures/transformers_js.json
//
// PEERS is a folder in which @huggingface/transformers is installed. Two things are added to a copy of the tokenizer that a
// model file does not record and thimble takes for granted: the template of a pair and the decoder of BERT.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [peers, source] = process.argv.slice(2);
const require = createRequire(join(resolve(peers), 'package.json'));
const { AutoTokenizer, env } = await import(pathToFileURL(require.resolve('@huggingface/transformers')).href);

const folder = mkdtempSync(join(tmpdir(), 'thimble-goldens-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
cpSync(source, join(folder, 'model'), { recursive: true });
const file = join(folder, 'model/tokenizer.json');
const tokenizerJson = JSON.parse(readFileSync(file, 'utf8'));
tokenizerJson.post_processor.pair = [
  ...tokenizerJson.post_processor.single, { Sequence: { id: 'B', type_id: 1 } }, { SpecialToken: { id: '[SEP]', type_id: 1 } },
];
tokenizerJson.decoder = { type: 'WordPiece', prefix: '##', cleanup: true };
writeFileSync(file, JSON.stringify(tokenizerJson));
writeFileSync(join(folder, 'model/tokenizer_config.json'), JSON.stringify({
  tokenizer_class: 'BertTokenizer', model_max_length: 128, cls_token: '[CLS]', sep_token: '[SEP]', pad_token: '[PAD]',
  unk_token: '[UNK]', mask_token: '[MASK]',
}));
Object.assign(env, { localModelPath: folder, allowRemoteModels: false });
const tokenizer = await AutoTokenizer.from_pretrained('model');

const TEXTS = [
  '', ' ', 'hello world', 'The cat, the dog!', 'playing in the sun', "it's a good day, isn't it?", 'caf\u00e9 \u4e2d\u6587',
  'unknown \u2603 word', '[MASK] of [PAD] and [SEP]', 'memory '.repeat(130), 'xyz'.repeat(40), 'a\u0301 \u{1f600} 42%',
];
const BATCH = [TEXTS[2], TEXTS[3], TEXTS[9]];
const PAIR = [['hello', 'good day'], ['the cat', ''], ['memory '.repeat(70), 'vector '.repeat(70)]];
const CALLS = [
  ...TEXTS.map((text) => [text, {}]),
  ...[{ padding: true }, { padding: true, truncation: true }, { padding: 'max_length', truncation: true, max_length: 16 },
    { padding: true, truncation: true, max_length: 7 }, { padding: 'max_length', max_length: 200, truncation: true },
    { padding: true, truncation: true, add_special_tokens: false, max_length: 5 }, { padding: true, max_length: 9 },
    { padding: 'max_length', max_length: 4 }, { truncation: true, max_length: 2, padding: true },
    { padding: true, truncation: true, return_token_type_ids: false }].map((options) => [BATCH, options]),
  [TEXTS[3], { max_length: 4 }], [TEXTS[9], { truncation: true }], [TEXTS[9], { truncation: false, max_length: 9 }],
  [TEXTS.slice(2, 4), {}], [['hello', 'world'], {}],
  ...PAIR.map(([text, text_pair]) => [text, { text_pair }]),
  [PAIR.map(([text]) => text), { text_pair: PAIR.map(([, pair]) => pair), padding: true, truncation: true }],
  [PAIR[0][0], { text_pair: PAIR[0][1], add_special_tokens: false }],
];

const asNumbers = (value) => JSON.parse(JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? Number(item) : item)));

function callWith(text, options) {
  try {
    const result = {};
    for (const [name, tensor] of Object.entries(tokenizer(text, options))) {
      result[name] = [tensor.type, tensor.dims, asNumbers(tensor.tolist())];
    }
    return result;
  } catch {
    return null;
  }
}

// Of each call the tensors, null for an error, and the arrays that other options give.
const calls = CALLS.map(([text, options]) => {
  const tensors = callWith(text, options);
  return { text, options, tensors, ...(tensors ? {} : { arrays: tokenizer(text, { ...options, return_tensor: false }) }) };
});
const left = Object.assign(await AutoTokenizer.from_pretrained('model'), { padding_side: 'left' });
const texts = TEXTS.map((text) => {
  const ids = tokenizer.encode(text);
  return {
    text, tokens: tokenizer.tokenize(text), ids, own: tokenizer.encode(text, { add_special_tokens: false }),
    decoded: tokenizer.decode(ids), shown: tokenizer.decode(ids, { skip_special_tokens: true }),
    uncleaned: tokenizer.decode(ids, { clean_up_tokenization_spaces: false }),
  };
});
const roles = ['mask', 'pad', 'sep', 'unk', 'bos', 'eos'].flatMap((role) => [`${role}_token`, `${role}_token_id`]);
const names = ['model_max_length', 'padding_side', 'all_special_ids', 'all_special_tokens', ...roles];
const golden = {
  library: `@huggingface/transformers ${env.version}`, written_by: 'scripts/goldens/javascript.mjs',
  properties: Object.fromEntries(names.map((name) => [name, tokenizer[name] ?? null])), calls, texts,
  left: left(['hello', 'the memory of a vector'], { padding: true, return_tensor: false }),
  ids: tokenizer.convert_tokens_to_ids(['hello', '##s', '[SEP]']),
};
const ascii = (text) => text.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
console.log(ascii(JSON.stringify(golden)).replaceAll('},{', '},\n{'));
