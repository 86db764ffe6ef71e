// Finds and loads the native addon, also for a bundle that holds this file.
'use strict';

const { createRequire } = process.getBuiltinModule?.('node:module') ?? require('node:module');
const { unsupported } = require('./errors.js');

// For modules of Node.js: not every bundle in ESM has a require.
const builtin = createRequire(process.execPath);
const path = builtin('node:path');

const FILE = 'thimble.node';
// This file; a bundle does not know where its modules came from, or gives a name alone.
const HERE = path.isAbsolute(module.filename ?? '') ? module.filename : undefined;
// Of a checkout.
const LOCAL_BUILD = HERE && path.join(path.dirname(HERE), '..', '..', '..', 'build');

// Platforms with a package that may fit this machine. Of those for one processor npm installs the one for the C library at
// hand; where both are there, the other fails to load and is passed over.
function platforms() {
  const { platform, arch } = process;
  return platform === 'linux' ? ['gnu', 'musl'].map((libc) => `linux-${arch}-${libc}`) : [`${platform}-${arch}`];
}

// Files from which to look for this package and those beside it: this one; or for a bundle its own, that of the program, and
// one in the working directory, which in a repository of several packages has what next lacks.
function places() {
  if (HERE) return [HERE];
  const bundle = typeof __filename === 'string' ? __filename : undefined;
  return [...new Set([bundle, process.argv[1], 'package.json'].filter(Boolean).map((file) => path.resolve(file)))];
}

// The addon of an installed package. Bundlers do not see this require: most of them fail on a binary.
function fromPackage(name, place) {
  const near = createRequire(place);
  try {
    return near(`${name}/${FILE}`);
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
  }
  // pnpm puts it beside thimble alone.
  return createRequire(near.resolve('thimble/package.json'))(`${name}/${FILE}`);
}

// Never called. Tools that copy the files which a program needs, such as Next.js, take those that a program names.
function neededFiles() {
  const path = require('node:path');
  return [
    path.join(__dirname, '../../@thimble/linux-x64-gnu/thimble.node'),
    path.join(__dirname, '../../@thimble/linux-x64-musl/thimble.node'),
    path.join(__dirname, '../../@thimble/linux-arm64-gnu/thimble.node'),
    path.join(__dirname, '../../@thimble/linux-arm64-musl/thimble.node'),
    path.join(__dirname, '../../@thimble/darwin-x64/thimble.node'),
    path.join(__dirname, '../../@thimble/darwin-arm64/thimble.node'),
    path.join(__dirname, '../../@thimble/win32-x64/thimble.node'),
  ];
}

// [what, function that loads it], in the order in which they are tried.
function attempts() {
  const given = process.env.THIMBLE_NODE_ADDON;
  if (given) return [['THIMBLE_NODE_ADDON', () => load(path.resolve(given))]];
  const found = platforms().map((platform) => `@thimble/${platform}`).flatMap((name) =>
    places().map((place) => [`${name} from ${place}`, () => fromPackage(name, place)]));
  if (LOCAL_BUILD) found.push(['local build', () => load(path.join(LOCAL_BUILD, FILE))]);
  return found;
}

const load = (file) => createRequire(file)(file);

function loadAddon() {
  const tried = [];
  for (const [what, attempt] of attempts()) {
    try {
      return attempt();
    } catch (error) {
      tried.push(`  ${what}: ${error.message.split('\n')[0]}`);
    }
  }
  throw unsupported([
    `thimble has no native addon for ${process.platform}-${process.arch}. Tried:`,
    ...tried,
    'What to do: install thimble again without --omit=optional and without a lock file made on another platform; or',
    'build it from source (git clone, then npm install in bindings/node); or set THIMBLE_NODE_ADDON to the path of a',
    'thimble.node. A bundle needs node_modules beside it, with thimble and @thimble: leave thimble out of the bundle with',
    "serverExternalPackages: ['thimble'] in Next.js, external: ['thimble'] in esbuild, Rollup and Vite (ssr), or",
    "externals: { thimble: 'commonjs thimble' } in webpack, and deploy node_modules with it.",
    'Tests that need no model run without the addon: THIMBLE_BACKEND=mock.',
  ].join('\n'));
}

let loaded;
// The addon, loaded when it is first needed. Throws a ThimbleError that says what was tried.
function addon() {
  return (loaded ??= loadAddon());
}

module.exports = { LOCAL_BUILD, addon, builtin, neededFiles, platforms };
