// The types under tsc, and the setup files under vitest.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { modelFolder, root } from './support.mjs';

function run(program, args, environment = {}) {
  const result = spawnSync(process.execPath, [join(root, 'node_modules', program), ...args],
    { cwd: root, encoding: 'utf8', env: { ...process.env, ...environment } });
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

test('vitest: the mock in unit tests, the model in integration tests', () => {
  // Vitest writes no colours then, and takes no notice of the runner it runs in.
  const { code, output } = run('vitest/vitest.mjs', ['run', '--root', 'test/vitest'],
    { THIMBLE_TEST_MODELS: modelFolder(), NO_COLOR: '1', NODE_TEST_CONTEXT: '' });
  assert.equal(code, 0, output);
  assert.match(output, /Tests +2 passed \(2\)/);
});
