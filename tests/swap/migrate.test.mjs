// The snippets of docs/migrate.md: programs print what the page says, entries of package.json are those that the packages
// here are installed with, and with each configuration an import of transformers.js leads to thimble.
// THIMBLE_NODE is the folder whose node_modules have vitest and typescript.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const folder = fileURLToPath(new URL('.', import.meta.url));
const read = (name) => readFileSync(join(folder, name), 'utf8');
// A project of its own, whose @huggingface/transformers is of no use.
const project = join(folder, 'project');

const blocks = [...read('migrate.md').matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(([, language, text]) => ({ language, text }));
const configurations = {};
const programs = [];
const manifests = [];
blocks.forEach(({ language, text }, i) => {
  const name = /^\/\/ (\S+\.\w+)\n/.exec(text)?.[1];
  if (name) configurations[name] = text;
  else if (language === 'json') manifests.push(JSON.parse(text));
  else if (language === 'js') programs.push({ source: text, expected: blocks[i + 1]?.language === '' ? blocks[i + 1].text : undefined });
});

async function run(...args) {
  // Vitest writes no colours then, and takes no notice of the runner it runs in.
  const env = { ...process.env, NO_COLOR: '1', NODE_TEST_CONTEXT: '' };
  const result = await promisify(execFile)(process.execPath, args, { cwd: folder, env }).catch((error) => error);
  return { code: result.code ?? 0, out: result.stdout, err: result.stderr };
}
const tool = (path, ...args) => run(join(process.env.THIMBLE_NODE, 'node_modules', path), ...args);

before(() => {
  rmSync(project, { recursive: true, force: true });
  const useless = join(project, 'node_modules/@huggingface/transformers');
  mkdirSync(useless, { recursive: true });
  writeFileSync(join(useless, 'package.json'), '{ "type": "module", "main": "./index.js" }');
  writeFileSync(join(useless, 'index.js'), 'export function pipeline() { throw new Error("this is not thimble"); }');
  symlinkSync(join(folder, 'node_modules/@thimble'), join(project, 'node_modules/@thimble'));
  const use = `import { pipeline } from '@huggingface/transformers';
    const extractor = await pipeline('feature-extraction', 'Xenova/all-MiniLM-L6-v2', { dtype: 'q8' });`;
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(project, 'main.mjs'), `${use} console.log((await extractor('a text')).dims);`);
  writeFileSync(join(project, 'main.test.mjs'), `${use} test('alias', async () => expect((await extractor('a text')).dims[2]).toBe(384));`);
  writeFileSync(join(project, 'main.mts'), `${use}
    export const dims: readonly number[] = (await extractor('a text')).dims;
    // @ts-expect-error A number is no text.
    extractor(42);`);
  for (const [name, text] of Object.entries(configurations)) writeFileSync(join(project, name), text);
});

test('every snippet is one of those that are tested', () => {
  const outputs = programs.filter(({ expected }) => expected !== undefined);
  assert.equal(outputs.length, programs.length);
  const accounted = outputs.length * 2 + manifests.length + Object.keys(configurations).length;
  assert.equal(accounted, blocks.length);
  assert.deepEqual(Object.keys(configurations).sort(), ['tsconfig.json', 'vite.config.mjs', 'webpack.config.mjs']);
});

for (const { source, expected } of programs) {
  const imported = /from '(.*?)'/.exec(source)[1];
  test(`${imported}: ${source.split('\n').at(-2)}`, async () => {
    const { out, err } = await run('--input-type=module', '--eval', source);
    assert.equal(err, '');
    assert.equal(out, expected);
  });
}

test('entries of package.json are what this folder is installed with', () => {
  const [, manifest] = /```json\n([^]*?)```/.exec(read('node_modules/@thimble/transformers/README.md'));
  assert.deepEqual(JSON.parse(manifest), manifests[0]);
  const installed = JSON.parse(read('installed.json'));
  assert.ok(manifests.length > 1);
  for (const manifest of manifests) {
    for (const [list, entries] of Object.entries(manifest)) {
      for (const [name, wanted] of Object.entries(entries)) assert.equal(installed[list][name], wanted);
    }
  }
});

test('vite.config.mjs, in vitest', async () => {
  const { code, out, err } = await tool('vitest/vitest.mjs', 'run', '--root', project, '--globals');
  assert.equal(code, 0, out + err);
  assert.match(out, /Tests +1 passed/);
});

test('webpack.config.mjs', async () => {
  const { default: webpack } = await import('webpack');
  const { default: configuration } = await import(join(project, 'webpack.config.mjs'));
  const compiler = webpack({
    ...configuration, mode: 'development', context: project, entry: './main.mjs', output: { path: project, filename: 'main.cjs' },
  });
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  assert.deepEqual([errors, warnings], [[], []]);
  const { out, err } = await run(join(project, 'main.cjs'));
  assert.deepEqual([out, err], ['[ 1, 4, 384 ]\n', '']);
});

test('tsconfig.json', async () => {
  const { out } = await tool('typescript/bin/tsc', '-p', project, '--noEmit', '--strict', '--types', 'node', '--typeRoots',
    join(process.env.THIMBLE_NODE, 'node_modules/@types'));
  assert.equal(out, '');
});
