// Keys of providers, from the environment or from files.
'use strict';

const { readFile } = require('../addon.js').builtin('node:fs/promises');

const { ThimbleError, invalid } = require('../errors.js');

// The key of a dialect, or undefined. Looked up each time, so that a new key needs no restart.
async function keyOf(name, dialect) {
  for (const variable of dialect.keyVariables) {
    const file = process.env[`${variable}_FILE`];
    let key = process.env[variable];
    if (!key && file) {
      try {
        key = await readFile(file, 'utf8');
      } catch (cause) {
        throw new ThimbleError('io', `${name}: ${variable}_FILE: cannot read ${JSON.stringify(file)}: ${cause.code}`);
      }
    }
    key = key?.trim();
    if (!key) continue;
    // fetch would refuse such a header, with the key in its message.
    if (!/^[\x21-\x7e]+$/.test(key)) {
      throw invalid(`${name}: the key in ${variable} contains spaces, line breaks or non-ASCII characters`);
    }
    return key;
  }
  return undefined;
}

const howToSet = (dialect) =>
  `${dialect.keyVariables.join(' or ')}, or ${dialect.keyVariables[0]}_FILE to the path of a file with the key`;

module.exports = { howToSet, keyOf };
