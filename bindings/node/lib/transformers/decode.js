// From the entries of a vocabulary back to a text, as transformers.js writes it.
'use strict';

const CONTINUATION = '##';
const METASPACE = '\u2581';
// Spaces that English does not have.
const CLEANUPS = [
  [' .', '.'], [' ?', '?'], [' !', '!'], [' ,', ','], [" ' ", "'"], [" n't", "n't"], [" 'm", "'m"], [" 's", "'s"],
  [" 've", "'ve"], [" 're", "'re"],
];

const cleanUp = (text) => CLEANUPS.reduce((result, [from, to]) => result.replaceAll(from, to), text);

// The bytes that GPT-2 writes as each character; the first ones that are not printable come from U+0100 on.
const BYTES = new Map();
for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  BYTES.set(String.fromCodePoint(printable ? byte : next++), byte);
}

// An entry with another character, as added tokens may have, is itself.
function bytesOf(entry) {
  const bytes = Array.from(entry, (character) => BYTES.get(character));
  return bytes.includes(undefined) ? [...Buffer.from(entry)] : bytes;
}

// By the numbers of Joining in include/thimble/vocabulary.h.
const JOIN = [
  (tokens) => tokens.map((token, i) => {
    if (i === 0) return cleanUp(token);
    return cleanUp(token.startsWith(CONTINUATION) ? token.slice(CONTINUATION.length) : ` ${token}`);
  }).join(''),
  (tokens) => tokens.map((token, i) => token.replaceAll(METASPACE, i === 0 ? '' : ' ')).join(''),
  (tokens) => Buffer.from(tokens.flatMap(bytesOf)).toString('utf8'),
];

// With `spaces` the text is cleaned up; WordPiece's pieces are in any case, as in the core.
function decodeTokens(tokens, joining, spaces) {
  const text = JOIN[joining](tokens);
  return spaces ? cleanUp(text) : text;
}

module.exports = { decodeTokens };
