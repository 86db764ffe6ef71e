// Prints what JavaScript and transformers.js compute.
//
//   node scripts/goldens/javascript.mjs mock > tests/fixtures/mock.json
//     the vectors of the mock in circulation, as hashes
//   node scripts/goldens/javascript.mjs mock BLOCKS
//     the hashes of that many blocks of 2^20 sums, to compare with C++
//   node scripts/goldens/javascript.mjs transformers PEERS FOLDER > tests/fixtures/transformers_js.json
//     what transformers.js gives with the tokenizer of a folder: FOLDER is "source" of build/make_test_model's
//
// PEERS is a folder in which @huggingface/transformers is installed.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const DIMENSIONS = 384;
const BLOCK = 2 ** 20;
const value = (sum) => Math.fround(Math.sin(sum) * 0.1);

// FNV-1a, 64 bits, over the bits of floats, four bytes at a time.
class Hash {
  low = 0x84222325;
  high = 0xcbf29ce4;
  view = new DataView(new ArrayBuffer(4));
  add(float) {
    this.view.setFloat32(0, float);
    const x = (this.low ^ this.view.getUint32(0)) >>> 0;
    // times 0x100000001b3, in pieces that a double holds exactly.
    const low = x * 0x1b3;
    this.high = (Math.imul(this.high, 0x1b3) + Math.floor(low / 2 ** 32) + Math.imul(x, 0x100)) >>> 0;
    this.low = low >>> 0;
  }
  hex() {
    return this.high.toString(16).padStart(8, '0') + this.low.toString(16).padStart(8, '0');
  }
}

function blockHash(block) {
  const hash = new Hash();
  for (let sum = block * BLOCK; sum < (block + 1) * BLOCK; ++sum) hash.add(value(sum));
  return hash.hex();
}

const MOCK_TEXTS = [
  '', ' ', 'a', 'hello', 'The quick brown fox jumps over the lazy dog.', 'caf\u00e9 na\u00efve', '\u65e5\u672c\u8a9e\u306e\u6587',
  '\u{1f600}', 'emoji \u{1f468}\u200d\u{1f469}\u200d\u{1f467} family', '\ufffd', 'a\ufffdb', '\u0000\u0001', '\uffff', '\u{10ffff}', 'tab\tnewline\n', 'x'.repeat(1000),
  '\uffff'.repeat(100000), 'word '.repeat(50000),
];

function textGolden(text) {
  let sum = 0;
  for (let i = 0; i < text.length; ++i) sum += text.charCodeAt(i);
  const hash = new Hash();
  for (let i = 0; i < DIMENSIONS; ++i) hash.add(value(sum + i));
  return { text, units: text.length, first: value(sum), hash: hash.hex() };
}

function writeMock(blocks) {
  if (blocks) {
    for (let block = 0; block < Number(blocks); ++block) console.log(blockHash(block));
    return;
  }
  const long = (text) => text.length > 1000;
  const unit = (text) => (text.startsWith('word ') ? 'word ' : text[0]);
  console.log(JSON.stringify({
    texts: MOCK_TEXTS.map(textGolden).map((golden) => long(golden.text)
      ? { ...golden, text: unit(golden.text), repeat: golden.text.length / unit(golden.text).length } : golden),
    blocks: [0, 1, 17].map((block) => ({ block, hash: blockHash(block) })),
  }, null, 1));
}

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

const ascii = (text) => text.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

function callWith(tokenizer, text, options) {
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

// Two things are added to a copy of the tokenizer that a model file does not record and thimble takes for granted: the template
// of a pair and the decoder of BERT.
async function writeTransformers(peers, source) {
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

  // Of each call the tensors, null for an error, and the arrays that other options give.
  const calls = CALLS.map(([text, options]) => {
    const tensors = callWith(tokenizer, text, options);
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
  console.log(ascii(JSON.stringify(golden)).replaceAll('},{', '},\n{'));
}

const commands = { mock: writeMock, transformers: writeTransformers };
const [command, ...rest] = process.argv.slice(2);
if (!Object.hasOwn(commands, command ?? '')) {
  console.error('expected mock or transformers; the head of this file says what they print');
  process.exit(2);
}
await commands[command](...rest);
