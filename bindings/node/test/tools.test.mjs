// The types under tsc, the setup files under vitest, and npx thimble without its command line.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { modelFolder, root, temporaryFolder } from './support.mjs';

function run(program, args, environment = {}, cwd = root) {
  const result = spawnSync(process.execPath, [join(root, 'node_modules', program), ...args],
    { cwd, encoding: 'utf8', env: { ...process.env, ...environment } });
  return { code: result.status, output: result.stdout + result.stderr };
}

test('tsc accepts the types, and what they refuse is refused', () => {
  const { output } = run('typescript/bin/tsc', ['-p', 'test/types', '--listFiles']);
  // Some of the packages that the adapters are for ask for types that they do not bring.
  const ours = output.split('\n').filter((line) => line.includes('error TS') && !line.startsWith('node_modules/'));
  assert.deepEqual(ours, []);
  for (const file of ['lib/index.d.ts', 'lib/index.d.mts', 'lib/transformers.d.mts', 'lib/chroma.d.mts', 'test/types/commonjs.cts']) {
    assert.ok(output.includes(join(root, file)), `${file} was not checked`);
  }
});

// What TypeScript 7 resolves no longer, 5 still does.
for (const [resolution, module, compiler] of [
  ['node16', 'node16', 'typescript'], ['bundler', 'esnext', 'typescript'], ['node10', 'commonjs', 'typescript-5'],
]) {
  test(`tsc accepts code written for transformers.js, with moduleResolution ${resolution}`, () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules', 'thimble'), 'junction');
    copyFileSync(join(root, 'test/types/swap.ts'), join(folder, 'swap.ts'));
    const { code, output } = run(`${compiler}/bin/tsc`, ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom',
      '--module', module, '--moduleResolution', resolution, 'swap.ts'], {}, folder);
    assert.deepEqual([code, output], [0, '']);
  });
}

test('vitest: the mock in unit tests, the model in integration tests', () => {
  // Vitest writes no colours then, and takes no notice of the runner it runs in.
  const { code, output } = run('vitest/vitest.mjs', ['run', '--root', 'test/vitest'],
    { THIMBLE_TEST_MODELS: modelFolder(), NO_COLOR: '1', NODE_TEST_CONTEXT: '' });
  assert.equal(code, 0, output);
  assert.match(output, /Tests +2 passed \(2\)/);
});

test('npx thimble has list and rm without the command line, and refuses what they do not take', () => {
  const folder = modelFolder();
  const thimble = (...args) => spawnSync(process.execPath, [join(root, 'bin/thimble.js'), ...args],
    { encoding: 'utf8', env: { ...process.env, THIMBLE_CLI: join(folder, 'none'), THIMBLE_HOME: folder } });
  assert.ok(JSON.parse(thimble('list', '--json').stdout).models.some(({ name }) => name === 'small'));
  assert.equal(thimble('rm', 'none').status, 1);
  for (const [args, message] of [
    [['rm'], 'expected NAME, found none'], [['rm', 'small', 'other'], 'expected NAME, found small other'],
    [['list', 'small'], 'expected no arguments, found small'], [['list', '--dtype', 'q8'], "Unknown option '--dtype'"],
    [['rm', 'small', '--json'], "Unknown option '--json'"],
  ]) {
    const { status, stdout, stderr } = thimble(...args);
    assert.deepEqual([status, stdout], [2, ''], stderr);
    assert.ok(stderr.startsWith(`thimble ${args[0]}: ${message}`), stderr);
  }
  assert.ok(thimble('list').stdout.includes('small'));
  const { status, stderr } = thimble('embed', 'a');
  assert.deepEqual([status, stderr.includes('no command line')], [1, true], stderr);
});
