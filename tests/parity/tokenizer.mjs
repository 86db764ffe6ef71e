// Compares the tokenizer of thimble/transformers with the Rust `tokenizers` library and with transformers.js.
//
//   node tests/parity/tokenizer.mjs PEERS MODEL FOLDER TEXTS
//
// PEERS is a folder in which @huggingface/transformers is installed, MODEL what thimble opens, FOLDER the model's Hugging Face
// folder, TEXTS what scripts/goldens/tokenizer.py oracle wrote. transformers.js is compared where its ids are those of the
// Rust library. Exits 1 when anything differs.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AutoTokenizer } from '../../bindings/node/lib/transformers.mjs';

const BATCH = 8;
const CALLS = [
  { padding: true, truncation: true }, { padding: 'max_length', truncation: true, max_length: 24 },
  { padding: true, truncation: true, max_length: 9, add_special_tokens: false },
];

const [peers, model, folder, texts] = process.argv.slice(2);
const require = createRequire(join(resolve(peers), 'package.json'));
const js = await import(pathToFileURL(require.resolve('@huggingface/transformers')).href);
Object.assign(js.env, { localModelPath: dirname(resolve(folder)), allowRemoteModels: false });
const theirs = await js.AutoTokenizer.from_pretrained(basename(folder));
const ours = await AutoTokenizer.from_pretrained(model);
const rows = readFileSync(texts, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));

const counts = new Map();
function compare(what, found, expected, text) {
  const count = counts.get(what) ?? { checked: 0, different: 0 };
  counts.set(what, count);
  ++count.checked;
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
  if (left === right) return;
  if (++count.different > 3) return;
  console.log(`${what}: ${JSON.stringify(text).slice(0, 200)}\n  found    ${left.slice(0, 300)}\n  expected ${right.slice(0, 300)}`);
}
const plain = (encoding) => Object.entries(encoding).map(([name, { type, dims, data }]) => [name, type, dims, Array.from(data, Number)]);

const alike = [];
for (const [i, row] of rows.entries()) {
  const second = rows[(i + 1) % rows.length].text;
  const one = ours(row.text, { return_tensor: false, return_offsets_mapping: true });
  compare('ids, Rust', one.input_ids, row.ids, row.text);
  compare('offsets, Rust', one.offset_mapping.flat(), row.offsets, row.text);
  // An empty second text is none, as in transformers.js.
  if (second !== '') {
    const pair = ours(row.text, { text_pair: second, return_tensor: false });
    compare('pairs, Rust', [pair.input_ids, pair.token_type_ids], [row.pair, row.types], row.text);
  }
  for (const skip_special_tokens of [false, true]) {
    const [found, expected] = [ours, theirs].map((tokenizer) => tokenizer.decode(row.ids, { skip_special_tokens }));
    compare('decode, transformers.js', found, expected, row.text);
  }
  if (JSON.stringify(theirs.encode(row.text)) !== JSON.stringify(row.ids)) continue;
  alike.push(row.text);
  compare('tokenize, transformers.js', ours.tokenize(row.text), theirs.tokenize(row.text), row.text);
}
for (let begin = 0; begin < alike.length; begin += BATCH) {
  const batch = alike.slice(begin, begin + BATCH);
  const text_pair = batch.map((_, i) => batch[batch.length - 1 - i]);
  for (const options of CALLS) {
    for (const [what, wanted] of [['padding and truncation', options], ['pairs of a batch', { ...options, text_pair }]]) {
      const [found, expected] = [ours, theirs].map((tokenizer) => plain(tokenizer(batch, wanted)));
      compare(`${what}, transformers.js`, found, expected, batch);
    }
  }
}
console.log(`${rows.length} texts; transformers.js has other ids than the Rust library for ${rows.length - alike.length} of them`);
let failed = false;
for (const [what, { checked, different }] of counts) {
  console.log(`${what}: ${checked} checked, ${different} differ`);
  failed ||= different > 0;
}
process.exit(failed ? 1 : 0);
