// Vercel AI SDK: an embedding model for embed() and embedMany().
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
    async doEmbed({ values, abortSignal }) {
      const model = await open();
      const vectors = new Float32Array(values.length * model.dimensions);
      const reports = await model.embedInto(values, vectors, { signal: abortSignal });
      const tokens = reports.reduce((sum, report) => sum + report.tokens, 0);  // NaN where a provider counts requests.
      const cut = reports.filter((report) => report.truncated).length;
      return {
        embeddings: values.map((_, i) => Array.from(vectors.subarray(i * model.dimensions, (i + 1) * model.dimensions))),
        usage: Number.isNaN(tokens) ? undefined : { tokens },
        warnings: cut === 0 ? [] : [{ type: 'other', message: `${cut} of ${values.length} texts were truncated` }],
      };
    },
  };
}
