// Runs the snippets of the package's README and of the project's, and compares what they print.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { needRealModel, realModels, root, runModule } from './support.mjs';

const readme = ['README.md', '../../README.md'].map((name) => readFileSync(join(root, name), 'utf8')).join('');
const snippets = [...readme.matchAll(/```js\n([^]*?)```\n```\n([^]*?)```/g)];

test('every snippet says what it prints', () => {
  assert.ok(snippets.length > 4);
  assert.equal(snippets.length, readme.split('```js').length - 1);
});

for (const [, source, expected] of snippets) {
  const [first] = source.split('\n');
  test(`${first} ... prints what the README says`, { skip: needRealModel() }, async () => {
    const { out, err } = await runModule(source, { environment: { THIMBLE_HOME: realModels, THIMBLE_BACKEND: '' } });
    assert.equal(err, '');
    assert.equal(out, expected);
  });
}
