// A worker of scenarios.mjs: embeds once, or forever.
'use strict';

const { parentPort } = require('node:worker_threads');
const { Embedder } = require('thimble');

parentPort.once('message', async (wanted) => {
  const embedder = await Embedder.create(process.env.THIMBLE_MODEL);
  const texts = Array(16).fill('a text of some length '.repeat(20));
  do {
    const vector = await embedder.embed('a text');
    parentPort.postMessage(vector.length);
    if (wanted === 'forever') embedder.embed(texts);
  } while (wanted === 'forever');
});
