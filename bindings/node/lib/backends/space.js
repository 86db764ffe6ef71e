// Fingerprints of vector spaces, by the formula in docs/backends.md.
'use strict';

const { createHash } = require('../addon.js').builtin('node:crypto');

function fingerprintOf(dialect, origin, model, dimensions = 0) {
  const text = `thimble space 1\n${dialect}\n${origin}\n${model}\n${dimensions}\n`;
  return createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 32);
}

// Of a space that the user names.
const namedFingerprint = (name, dimensions) => fingerprintOf('space', '', name, dimensions);

// Of the codes of a space, by the formula in docs/format.md.
function fingerprintOfCodes({ fingerprint, dimensions }, precision) {
  const text = `fingerprint=${fingerprint}\ndimensions=${dimensions}\nprecision=${precision}\n`;
  return createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 32);
}

module.exports = { fingerprintOf, fingerprintOfCodes, namedFingerprint };
