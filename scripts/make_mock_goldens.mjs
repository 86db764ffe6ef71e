// Writes tests/fixtures/mock.json: the vectors of the mock in circulation as JavaScript computes them, as hashes.
//
//   node scripts/goldens/javascript.mjs > tests/fixtures/mock.json
//   node scripts/goldens/javascript.mjs BLOCKS     the hashes of that many blocks of 2^20 sums, to compare with C++

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

const texts = [
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

if (process.argv[2]) {
  for (let block = 0; block < Number(process.argv[2]); ++block) console.log(blockHash(block));
} else {
  const long = (text) => text.length > 1000;
  const unit = (text) => (text.startsWith('word ') ? 'word ' : text[0]);
  console.log(JSON.stringify({
    texts: texts.map(textGolden).map((golden) => long(golden.text)
      ? { ...golden, text: unit(golden.text), repeat: golden.text.length / unit(golden.text).length } : golden),
    blocks: [0, 1, 17].map((block) => ({ block, hash: blockHash(block) })),
  }, null, 1));
}
