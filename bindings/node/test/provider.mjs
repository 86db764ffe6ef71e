// For tests of remote backends: the provider of tests/support/fake_provider.py, servers, keys, and errors that must not show them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after } from 'node:test';
import { inspect } from 'node:util';
import { root } from './support.mjs';

export const { dialects } = createRequire(import.meta.url)('../lib/backends/table.js');
const tests = join(root, '..', '..', 'tests');
export const exchanges = JSON.parse(readFileSync(join(tests, 'fixtures', 'exchanges.json'), 'utf8'));
export const KEY = exchanges.key;

// The path of a dialect's default base URL.
export const pathOf = (name) => new URL(dialects[name].baseUrl ?? 'http://x').pathname.replace(/\/$/, '');

const VARIABLES = ['THIMBLE_BACKEND', ...Object.values(dialects).flatMap(({ baseUrlVariable, keyVariables }) =>
  [baseUrlVariable, ...keyVariables, ...keyVariables.map((name) => `${name}_FILE`)].filter(Boolean))];
export const clearEnvironment = () => VARIABLES.forEach((name) => delete process.env[name]);
clearEnvironment();

// For the time of one test; subtests share it.
export function setEnvironment(context, values) {
  Object.assign(process.env, values);
  context.after(clearEnvironment);
}
export const allKeys = Object.fromEntries(Object.values(dialects).map(({ keyVariables }) => [keyVariables[0], KEY]));

// Nothing that a user could print shows the key.
function hidesKey(error) {
  for (const text of [error.message, error.stack, JSON.stringify(error), inspect(error, { depth: 9, showHidden: true })]) {
    assert.ok(!String(text).includes(KEY), text);
  }
  return true;
}

export async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    hidesKey(error);
    return error;
  }
  return assert.fail('expected an error');
}

// A server that answers with answer(request, body, reply), on loopback.
export async function serve(answer) {
  const server = createServer((request, reply) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => answer(request, chunks.length > 0 ? JSON.parse(Buffer.concat(chunks)) : undefined, reply));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

// As tests/support/fake_provider.py makes them.
export function vectorOf(text, dimensions = 8) {
  const digest = createHash('sha256').update(text).digest();
  return Array.from({ length: dimensions }, (_, i) => (digest[i % 32] - 128) / 128);
}

// A provider that runs until the tests of this file end.
export async function startProvider() {
  const provider = spawn('python3', [join(tests, 'support', 'fake_provider.py')], { stdio: ['pipe', 'pipe', 'inherit'] });
  after(() => provider.stdin.end());
  const { url } = JSON.parse(await new Promise((resolve) => provider.stdout.once('data', resolve)));
  let tags = 0;
  return {
    url,
    // The requests with this in their path, each with its texts.
    async logged(part) {
      const log = await (await fetch(`${url}/control/log`)).json();
      return log.filter(({ path }) => path.includes(part)).map((request) => {
        const { input, inputs, texts } = request.body ?? {};
        return { ...request, texts: [input ?? inputs ?? texts ?? []].flat() };
      });
    },
    // The name of a backend at the provider, with a part of its path that no other test has.
    at(dialect, fault = 'wrong-order', count = 0) {
      const part = `/fault/${fault}:${count}:${++tags}`;
      const base = url + part + pathOf(dialect);
      return { part: `${part}/`, backend: dialect === 'tei' ? `tei:${base}` : `${dialect}:m@${base}` };
    },
  };
}
