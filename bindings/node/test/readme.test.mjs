// Runs the snippets of the package's README, of the project's and of docs/node.md, and compares what they print.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { build, modelFolder, needRealModel, realModels, root, runModule, temporaryFolder } from './support.mjs';

const pages = ['README.md', '../../README.md', '../../docs/node.md'].map((name) => readFileSync(join(root, name), 'utf8'));
const snippetsOf = (text) => [...text.matchAll(/```js\n([^]*?)```\n```\n([^]*?)```/g)].map(([, ...parts]) => parts);
const snippets = snippetsOf(pages.join(''));
// What is to be run beside a file that a command made.
const isOfJob = (source) => !source.includes("from 'thimble");

test('every snippet says what it prints', () => {
  assert.ok(snippets.length > 4);
  assert.equal(snippets.length, pages.join('').split('```js').length - 1);
});

for (const [source, expected] of snippets.filter(([source]) => !isOfJob(source))) {
  const [first] = source.split('\n');
  test(`${first} ... prints what the README says`, { skip: needRealModel() }, async () => {
    const { out, err } = await runModule(source, { environment: { THIMBLE_HOME: realModels, THIMBLE_BACKEND: '' } });
    assert.equal(err, '');
    assert.equal(out, expected);
  });
}

test('vectors of a bulk job are read as docs/node.md says', async () => {
  const [, , page] = pages;
  const [source, expected] = snippets.find(([source]) => isOfJob(source));
  const [, command] = /```sh\nnpx thimble (embed .*)\n```/.exec(page);
  const folder = temporaryFolder();
  const models = realModels ?? modelFolder();
  if (!realModels) {
    symlinkSync(join(models, 'small-q8.safetensors'), join(models, 'all-MiniLM-L6-v2-q8.safetensors'));
  }
  writeFileSync(join(folder, 'corpus.jsonl'), '{"id": "a", "body": "one"}\n{"id": "b", "body": "two"}\n');
  const environment = { ...process.env, THIMBLE_HOME: models, THIMBLE_BACKEND: '', THIMBLE_CLI: join(build, 'thimble') };
  execFileSync(process.execPath, [join(root, 'bin/thimble.js'), ...command.split(' ')],
    { cwd: folder, env: environment, stdio: 'pipe' });
  const { out, err } = await runModule(source, { cwd: folder });
  assert.equal(err, '');
  assert.equal(out, realModels ? expected : expected.replace('384', '64'));
});
