// Writes what the clients of tests/swap compute with transformers.js: node make_goldens.mjs FILE, in the folder and by the
// copy that tests/swap/run.sh --goldens makes.

import { writeFileSync } from 'node:fs';
import { clients } from './clients.mjs';
import { encode } from './goldens.mjs';

const results = {};
for (const [name, run] of Object.entries(clients)) {
  results[name] = await run();
  console.error(`${name}: done`);
}
writeFileSync(process.argv[2], JSON.stringify(encode(results), null, 1) + '\n');
