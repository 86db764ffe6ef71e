// Embeds texts in Node.js through pools that come and go: soak.mjs FOLDER TEXTS; for tests/trust/run.sh.

import { ModelPool } from '../../bindings/node/lib/index.mjs';

const DTYPES = ['fp32', 'fp16', 'q8', 'q6', 'q4', 'q4-small'];
const [folder, texts] = [process.argv[2], Number(process.argv[3])];
for (let done = 0, round = 0; done < texts; ++round) {
  const pool = new ModelPool({ maxModels: 1 + (round % 3), threads: 1 + (round % 2) });
  for (let call = 0; call < 10 && done < texts; ++call) {
    const model = await pool.getModel(`${folder}/${DTYPES[(call * 5 + round) % DTYPES.length]}.safetensors`);
    const count = 1 + ((call * 37 + round * 11) % 120);
    const lines = Array.from({ length: count }, (_, i) => `text ${done + i}` + ' small vector'.repeat((i + call) % 20));
    for (const vector of await model.embed(lines)) {
      if (!vector.every(Number.isFinite)) throw new Error('a value that is not finite');
    }
    done += count;
  }
  await pool.dispose();
  // What JavaScript keeps is not what is measured.
  globalThis.gc?.();
  console.log(done);
}
