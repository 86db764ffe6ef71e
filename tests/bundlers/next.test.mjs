// A page and a route of Next.js that embed, with the packed package and no setting that names it. THIMBLE_APP is a folder
// with the package installed, THIMBLE_MODEL a model.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';

const tools = dirname(process.env.THIMBLE_APP);
const site = join(process.env.THIMBLE_APP, 'next');
const next = join(tools, 'node_modules/next/dist/bin/next');

before(() => {
  rmSync(site, { recursive: true, force: true });
  mkdirSync(join(site, 'app/route'), { recursive: true });
  const write = (file, text) => writeFileSync(join(site, file), text);
  write('package.json', '{ "private": true }');
  // The packages lie in folders above that of the site.
  write('next.config.mjs', `export default {
    output: process.env.NEXT_OUTPUT, distDir: process.env.NEXT_FOLDER, outputFileTracingRoot: ${JSON.stringify(tools)},
    turbopack: { root: ${JSON.stringify(tools)} },
  };`);
  write('app/layout.js', 'export default function Layout({ children }) { return <html><body>{children}</body></html>; }');
  write('app/page.js', `
    import { Embedder } from 'thimble';
    export const dynamic = 'force-dynamic';
    export default async function Page() {
      const embedder = await Embedder.create(process.env.THIMBLE_MODEL);
      return <p>{\`of \${(await embedder.embed('a text')).length} values\`}</p>;
    }`);
  write('app/route/route.js', `
    import { pipeline } from 'thimble/transformers';
    export async function POST(request) {
      const extractor = await pipeline('feature-extraction', process.env.THIMBLE_MODEL, { dtype: 'q8' });
      const { data } = await extractor(await request.text(), { pooling: 'mean', normalize: true });
      return new Response(\`of \${data.length} values\`);
    }`);
});

const build = (output, folder) => promisify(execFile)(process.execPath, [next, 'build'],
  { cwd: site, env: { ...process.env, NEXT_OUTPUT: output, NEXT_FOLDER: folder } });

// Starts a server, and asks it for the page and the route.
async function check(args, options) {
  const server = spawn(process.execPath, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = new Promise((resolve) => server.once('close', resolve));
  let output = '';
  const url = await new Promise((resolve, reject) => {
    const read = (data) => {
      output += data;
      const [, found] = /Local: +(http:\S+)[^]*Ready/.exec(output) ?? [];
      if (found) resolve(found);
    };
    server.stdout.on('data', read);
    server.stderr.on('data', read);
    closed.then(() => reject(new Error(`the server ended: ${output}`)));
  });
  try {
    const page = await (await fetch(url)).text();
    assert.match(page, /of \d\d+ values/, output);
    assert.match(await (await fetch(`${url}/route`, { method: 'POST', body: 'a text' })).text(), /^of \d\d+ values$/, output);
  } finally {
    server.kill();
    await closed;
  }
}

test('as it comes', async () => {
  await build(undefined, '.next');
  await check([next, 'start', '--port', '0', '--hostname', '127.0.0.1'],
    { cwd: site, env: { ...process.env, NEXT_FOLDER: '.next' } });
});

test("output: 'standalone', on another machine", async () => {
  await build('standalone', '.standalone');
  const elsewhere = mkdtempSync(join(tmpdir(), 'thimble-next-'));
  try {
    cpSync(join(site, '.standalone/standalone'), elsewhere, { recursive: true });
    const folder = join(elsewhere, relative(tools, site));
    await check(['server.js'], { cwd: folder, env: { ...process.env, PORT: '0', HOSTNAME: '127.0.0.1' } });
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});
