// Published packages give the results that they give with transformers.js.

import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { clients } from './clients.mjs';
import { compare, decode, plain } from './goldens.mjs';

const goldens = decode(JSON.parse(readFileSync(new URL('goldens.json', import.meta.url), 'utf8')));

for (const [name, run] of Object.entries(clients)) {
  test(name, async () => compare(plain(await run()), goldens[name]));
}
