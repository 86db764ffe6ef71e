// Finds and loads the native addon.
'use strict';

const path = require('node:path');

const ROOT = path.join(__dirname, '..');
const REPOSITORY = path.join(ROOT, '..', '..');

// Packages with prebuilt binaries that may fit this machine. Of those for one processor npm installs the one for the C
// library at hand; where both are there, the other fails to load and is passed over.
function platformPackages() {
  const { platform, arch } = process;
  const names = platform === 'linux' ? ['gnu', 'musl'].map((libc) => `linux-${arch}-${libc}`) : [`${platform}-${arch}`];
  return names.map((name) => `@thimble/${name}`);
}

// [what, path or a function that gives it], in the order in which they are tried.
function candidates(file) {
  const variable = file.endsWith('.node') ? 'THIMBLE_NODE_ADDON' : 'THIMBLE_CLI';
  if (process.env[variable]) return [[variable, () => process.env[variable]]];
  return [
    ...platformPackages().map((name) => [name, () => require.resolve(`${name}/${file}`, { paths: [ROOT] })]),
    ['local build', () => path.join(REPOSITORY, 'build', file)],
  ];
}

function loadAddon() {
  const tried = [];
  for (const [what, find] of candidates('thimble.node')) {
    try {
      return require(path.resolve(find()));
    } catch (error) {
      tried.push(`  ${what}: ${error.message.split('\n')[0]}`);
    }
  }
  const { ThimbleError } = require('./errors.js');
  throw new ThimbleError('unsupported', [
    `thimble has no native addon for ${process.platform}-${process.arch}. Tried:`,
    ...tried,
    'What to do: install thimble again without --omit=optional and without a lock file made on another platform; or',
    'build it from source (git clone, then npm install in bindings/node); or set THIMBLE_NODE_ADDON to the path of a',
    'thimble.node. Tests that need no model run without it: THIMBLE_BACKEND=mock.',
  ].join('\n'));
}

let loaded;
// The addon, loaded when it is first needed. Throws a ThimbleError that says what was tried.
function addon() {
  return (loaded ??= loadAddon());
}

module.exports = { addon, candidates };
