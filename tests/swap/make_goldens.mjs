// Writes what the clients of tests/swap compute with transformers.js: node make_swap_goldens.mjs FILE, in the folder and by
// the copy that tests/swap/run.sh --goldens makes.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const load = (file) => import(pathToFileURL(join(process.cwd(), file)).href);
const { clients } = await load('clients.mjs');
const { encode } = await load('goldens.mjs');

const results = {};
for (const [name, run] of Object.entries(clients)) {
  results[name] = await run();
  console.error(`${name}: done`);
}
writeFileSync(process.argv[2], JSON.stringify(encode(results), null, 1) + '\n');
