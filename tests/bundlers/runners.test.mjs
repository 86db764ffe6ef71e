// The packed package in test runners that have realms of their own, and in workers that alone load it. THIMBLE_APP is a
// folder with the package installed, THIMBLE_MODEL a model. THIMBLE_RUNS is how often each way is tried, THIMBLE_ENGINES
// which programs run it, separated by colons.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const app = process.env.THIMBLE_APP;
const tools = join(dirname(fileURLToPath(import.meta.url)), 'node_modules');
const runs = Number(process.env.THIMBLE_RUNS ?? 1);
const engines = process.env.THIMBLE_ENGINES?.split(':') ?? [process.execPath];
// The runner would have them report to it.
const { NODE_TEST_CONTEXT, ...env } = process.env;

function run(program, args) {
  return new Promise((resolve) => {
    execFile(program, args, { cwd: app, env, timeout: 120_000 }, (error, stdout, stderr) =>
      resolve({ status: error ? error.code ?? error.signal : 0, output: stdout + stderr }));
  });
}

async function expectSuccess(program, args, expected) {
  for (let i = 0; i < runs; ++i) {
    const { status, output } = await run(program, args);
    assert.equal(status, 0, `run ${i}: ${output}`);
    assert.match(output, expected);
  }
}

before(() => {
  for (const file of ['scenarios.mjs', 'worker.cjs', 'task.cjs', 'threads.spec.mjs', 'realm.spec.cjs']) {
    cpSync(join(dirname(app), file), join(app, file));
  }
});

for (const engine of engines) {
  const name = basename(dirname(dirname(engine))) + '/' + basename(engine);
  for (const scenario of ['alone', 'after200ms', 'random', 'piscina']) {
    test(`${name}, workers: ${scenario}`, () => expectSuccess(engine, ['scenarios.mjs', scenario], new RegExp(`^${scenario}: done\n$`)));
  }
  if (basename(engine) === 'bun') continue;
  for (const pool of ['threads', 'vmThreads']) {
    test(`${name}, vitest --pool=${pool}`, () => expectSuccess(engine,
      [join(tools, 'vitest/vitest.mjs'), 'run', `--pool=${pool}`, 'threads.spec.mjs'], /Tests +1 passed \(1\)/));
  }
}

test('jest', () => expectSuccess(process.execPath,
  [join(tools, 'jest/bin/jest.js'), '--rootDir', app, '--testMatch', '**/realm.spec.cjs', '--no-cache', '--watchman=false'],
  /Tests: +2 passed, 2 total/));
