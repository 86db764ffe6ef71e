// From the tokens of a WordPiece vocabulary back to a text, as transformers.js writes it.
'use strict';

const CONTINUATION = '##';
// Spaces that English does not have.
const CLEANUPS = [
  [' .', '.'], [' ?', '?'], [' !', '!'], [' ,', ','], [" ' ", "'"], [" n't", "n't"], [" 'm", "'m"], [" 's", "'s"],
  [" 've", "'ve"], [" 're", "'re"],
];

const cleanUp = (text) => CLEANUPS.reduce((result, [from, to]) => result.replaceAll(from, to), text);

// Pieces joined to words. Each is cleaned up, as in the core, and with `spaces` all of them together, as only here.
function decodeTokens(tokens, spaces) {
  const pieces = tokens.map((token, i) => {
    if (i === 0) return cleanUp(token);
    return cleanUp(token.startsWith(CONTINUATION) ? token.slice(CONTINUATION.length) : ` ${token}`);
  });
  return spaces ? cleanUp(pieces.join('')) : pieces.join('');
}

module.exports = { decodeTokens };
