// Programs that bundlers make of the packed package, with no setting that names thimble: they have to give the vectors
// that the unbundled program gives. THIMBLE_APP is a folder with the package installed, THIMBLE_MODEL a model.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';

const app = process.env.THIMBLE_APP;
const entry = join(app, 'entry.mjs');
const out = join(app, 'out');
const nowhere = mkdtempSync(join(tmpdir(), 'thimble-bundle-'));
process.on('exit', () => rmSync(nowhere, { recursive: true, force: true }));

async function run(file, folder = app) {
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: folder });
  return stdout;
}

let expected;
before(async () => {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "commonjs" }\n');
  writeFileSync(entry, `
    import { Embedder, ThimbleError } from 'thimble';
    import { pipeline } from 'thimble/transformers';
    async function main() {
      const model = process.env.THIMBLE_MODEL;
      const vector = await (await Embedder.create(model)).embed('a text');
      const extractor = await pipeline('feature-extraction', model, { dtype: 'q8' });
      const { data } = await extractor('a text', { pooling: 'mean', normalize: true });
      const refused = await Embedder.create('/none.safetensors').catch((error) => error instanceof ThimbleError);
      console.log(Buffer.from(vector.buffer).toString('hex'), data.length, refused);
    }
    main().catch((error) => console.log(error.code, error.message));
  `);
  expected = await run(entry);
  assert.match(expected, /^[0-9a-f]{512,} \d+ true\n$/);
});

// The bundle embeds beside node_modules, and elsewhere says which setting it needs.
async function check(file, setting) {
  assert.equal(await run(file), expected);
  const name = file.split('/').at(-1);
  cpSync(file, join(nowhere, name));
  const found = await run(join(nowhere, name), nowhere);
  assert.match(found, /^unsupported thimble has no native addon for .*Tried:\n/);
  assert.ok(found.includes(setting), found);
}

for (const format of ['esm', 'cjs']) {
  test(`esbuild, ${format}`, async () => {
    const { build } = await import('esbuild');
    const outfile = join(out, `esbuild.${format === 'esm' ? 'mjs' : 'cjs'}`);
    const { warnings } = await build({ entryPoints: [entry], bundle: true, platform: 'node', format, outfile, logLevel: 'silent' });
    assert.deepEqual(warnings, []);
    await check(outfile, "external: ['thimble'] in esbuild");
  });
}

for (const format of ['es', 'cjs']) {
  test(`rollup, ${format}`, async () => {
    const { rollup } = await import('rollup');
    const { default: commonjs } = await import('@rollup/plugin-commonjs');
    const { default: nodeResolve } = await import('@rollup/plugin-node-resolve');
    const warnings = [];
    const bundle = await rollup({ input: entry, plugins: [nodeResolve({ exportConditions: ['node'] }), commonjs()],
      onwarn: ({ message }) => warnings.push(message) });
    const file = join(out, `rollup.${format === 'es' ? 'mjs' : 'cjs'}`);
    await bundle.write({ file, format });
    await bundle.close();
    assert.deepEqual(warnings, []);
    await check(file, "external: ['thimble'] in esbuild, Rollup");
  });
}

test('webpack', async () => {
  const { default: webpack } = await import('webpack');
  const compiler = webpack({ mode: 'production', target: 'node', entry, output: { path: out, filename: 'webpack.cjs' } });
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  assert.deepEqual([errors, warnings], [[], []]);
  await check(join(out, 'webpack.cjs'), "externals: { thimble: 'commonjs thimble' } in webpack");
});

for (const noExternal of [undefined, true]) {
  test(`vite SSR, ${noExternal ? 'everything in one file' : 'as it comes'}`, async () => {
    const { build } = await import('vite');
    const name = `vite-${noExternal ? 'whole' : 'default'}.mjs`;
    await build({
      root: app, configFile: false, logLevel: 'error', ssr: { noExternal },
      build: { ssr: entry, outDir: out, emptyOutDir: false, rollupOptions: { output: { entryFileNames: name } } },
    });
    if (noExternal) await check(join(out, name), 'Rollup and Vite (ssr)');
    else assert.equal(await run(join(out, name)), expected);
  });
}

test('vite SSR, in development', async () => {
  writeFileSync(join(app, 'serve.mjs'), `
    import { createServer } from ${JSON.stringify(import.meta.resolve('vite'))};
    const server = await createServer({ root: ${JSON.stringify(app)}, configFile: false, logLevel: 'error', appType: 'custom',
      server: { middlewareMode: true, ws: false, watch: null }, optimizeDeps: { noDiscovery: true } });
    await server.ssrLoadModule('/entry.mjs');
    await server.close();`);
  assert.equal(await run(join(app, 'serve.mjs')), expected);
});
