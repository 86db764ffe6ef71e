// Vercel AI SDK: an embedding model for embed() and embedMany().
import { numbersOf } from './half.js';
import { Embedder } from './index.mjs';
import { DEFAULT_MODEL } from './options.js';
import { once } from './promises.js';

// Enough for a call; embedMany() splits what is more.
const MAX_EMBEDDINGS = 2048;

export function embeddingModel(modelName = DEFAULT_MODEL, options = {}) {
  const open = once(() => Embedder.create(modelName, options));
  return {
    specificationVersion: 'v3',
    provider: 'thimble',
    modelId: modelName,
    maxEmbeddingsPerCall: MAX_EMBEDDINGS,
    supportsParallelCalls: true,
    async doEmbed({ values, abortSignal, providerOptions }) {
      const model = await open();
      const call = { ...providerOptions?.thimble, signal: abortSignal, batchSize: Math.max(values.length, 1) };
      const results = [];
      for await (const result of model.embedStream(values, call)) results.push(result);
      const tokens = results.reduce((sum, result) => sum + result.tokens, 0);  // NaN where a provider counts requests.
      const cut = results.filter((result) => result.truncated).length;
      return {
        embeddings: results.map(({ vector }) => numbersOf(vector)),
        usage: Number.isNaN(tokens) ? undefined : { tokens },
        warnings: cut === 0 ? [] : [{ type: 'other', message: `${cut} of ${values.length} texts were truncated` }],
      };
    },
  };
}
