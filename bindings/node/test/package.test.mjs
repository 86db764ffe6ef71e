// The packed packages, installed into a fresh folder: THIMBLE_NODE_PACKAGES is where scripts/release/packages.sh left them.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { build, need, needRealModel, realModels, temporaryFolder } from './support.mjs';

const packages = process.env.THIMBLE_NODE_PACKAGES;
const skip = need(packages, 'THIMBLE_NODE_PACKAGES, the folder that scripts/release/packages.sh fills') || needRealModel();
const MOST_BYTES = 3e6;

const folder = temporaryFolder();
// Nothing of this checkout: neither its addon nor its command line.
const env = { ...process.env, THIMBLE_HOME: realModels, THIMBLE_BACKEND: '', THIMBLE_NODE_ADDON: '', THIMBLE_CLI: '' };
const run = (program, ...args) => execFileSync(program, args, { cwd: folder, env, encoding: 'utf8' });

before(() => {
  if (skip) return;
  writeFileSync(join(folder, 'package.json'), '{}');
  const here = `-${process.platform}-${process.arch}`;
  const tarballs = readdirSync(packages).filter((name) => /^thimble-(\d|transformers-)/.test(name) ||
    (name.includes(here) && !name.includes('musl') && name.endsWith('.tgz')));
  assert.equal(tarballs.length, 3, `packages for ${here}: ${tarballs}`);
  run('npm', 'install', '--silent', '--no-audit', '--no-fund', ...tarballs.map((name) => join(packages, name)));
});

test('packages are small', { skip }, (context) => {
  for (const name of readdirSync(packages).filter((name) => name.endsWith('.tgz'))) {
    const { size } = statSync(join(packages, name));
    context.diagnostic(`${name}: ${size} bytes`);
    assert.ok(size < MOST_BYTES);
  }
});

test('hold what they need and nothing else', { skip }, () => {
  const list = (name) => readdirSync(join(folder, 'node_modules', name)).sort();
  assert.deepEqual(list('thimble'), ['LICENSE', 'NOTICE', 'README.md', 'bin', 'lib', 'package.json']);
  const [native, transformers] = list('@thimble');
  assert.deepEqual(list(`@thimble/${native}`), ['LICENSE', 'NOTICE', 'package.json', 'thimble', 'thimble.node']);
  assert.deepEqual(list(`@thimble/${transformers}`),
    ['LICENSE', 'NOTICE', 'README.md', 'index.d.mts', 'index.d.ts', 'index.js', 'index.mjs', 'package.json']);
  const { scripts, dependencies, devDependencies } =
    JSON.parse(readFileSync(join(folder, 'node_modules/thimble/package.json'), 'utf8'));
  assert.deepEqual({ scripts, dependencies, devDependencies },
    { scripts: undefined, dependencies: undefined, devDependencies: undefined });
});

test('run the first snippet of the README', { skip }, () => {
  const readme = readFileSync(join(folder, 'node_modules/thimble/README.md'), 'utf8');
  const [, source, expected] = /```js\n([^]*?)```\n```\n([^]*?)```/.exec(readme);
  writeFileSync(join(folder, 'snippet.mjs'), source);
  assert.equal(run(process.execPath, 'snippet.mjs'), expected);
});

test('give the bits that the local build gives, from require', { skip }, () => {
  const program = (specifier) => `
    const { Embedder } = require(${JSON.stringify(specifier)});
    Embedder.create('all-MiniLM-L6-v2').then((e) => e.embed('the same bits')).then((v) =>
      console.log(Buffer.from(v.buffer).toString('hex')));`;
  const installed = run(process.execPath, '-e', program('thimble'));
  const local = execFileSync(process.execPath, ['-e', program(join(build, '../bindings/node'))],
    { cwd: folder, encoding: 'utf8', env: { ...env, THIMBLE_NODE_ADDON: join(build, 'thimble.node') } });
  assert.equal(installed, local);
  assert.equal(installed.trim().length, 384 * 8);
});

test('@thimble/transformers is thimble/transformers, for import and for require', { skip }, () => {
  const program = `
    import { createRequire } from 'node:module';
    import * as ours from '@thimble/transformers';
    import * as original from 'thimble/transformers';
    const require = createRequire(process.cwd() + '/');
    const names = Object.keys(ours);
    console.log(names.length > 0 && names.length === Object.keys(original).length && names.every((name) => ours[name] === original[name]),
      require('@thimble/transformers') === require('thimble/transformers'));`;
  assert.equal(run(process.execPath, '--input-type=module', '--eval', program), 'true true\n');
});

test('run the kernels of the local build, each of which gives its bits', { skip }, () => {
  const [native] = readdirSync(join(folder, 'node_modules/@thimble'));
  const installed = join(folder, 'node_modules/@thimble', native, 'thimble');
  const local = join(build, 'thimble');
  const model = (dtype) => join(realModels, `all-MiniLM-L6-v2-${dtype}.safetensors`);
  const isa = (program) => JSON.parse(run(program, 'info', model('q8'), '--json')).isa;
  const best = isa(local);
  assert.equal(isa(installed), best);
  // A package leaves out kernels that few machines need.
  const unknown = spawnSync(installed, ['info', model('q8')], { env: { ...env, THIMBLE_ISA: '?' }, encoding: 'utf8' });
  const runs = (name) =>
    spawnSync(installed, ['info', model('q8')], { env: { ...env, THIMBLE_ISA: name }, encoding: 'utf8' }).status === 0;
  const names = /expected one of (.*)/.exec(unknown.stderr)[1].split(', ').filter(runs);
  assert.ok(names.includes('scalar') && names.includes(best));
  for (const name of names) {
    for (const dtype of ['fp32', 'fp16', 'q8', 'q6', 'q4', 'q4-small']) {
      const [one, other] = [installed, local].map((program) => execFileSync(program,
        ['embed', '-m', model(dtype), 'the same bits'], { env: { ...env, THIMBLE_ISA: name }, encoding: 'utf8' }));
      assert.equal(one, other, `${name} ${dtype}`);
    }
  }
});

test('npx thimble is the command line', { skip }, () => {
  assert.match(run('npx', '--no-install', 'thimble', '--version'), /^thimble \d/);
  const model = join(realModels, 'all-MiniLM-L6-v2-q8.safetensors');
  const line = JSON.parse(run('npx', '--no-install', 'thimble', 'embed', '-m', model, 'a short text'));
  assert.equal(line.embedding.length, 384);
  assert.throws(() => execFileSync('npx', ['--no-install', 'thimble', 'embed'], { cwd: folder, env, stdio: 'pipe' }),
    { status: 2 });
});
