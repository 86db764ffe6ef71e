// Vercel AI SDK: an embedding model for embed() and embedMany().
import { Embedder } from './index.mjs';

// Enough for a call; embedMany() splits what is more.
const MAX_EMBEDDINGS = 2048;

export function embeddingModel(modelName = 'all-MiniLM-L6-v2', options = {}) {
  let embedder;
  const open = () => {
    embedder ??= Embedder.create(modelName, options).catch((error) => {
      embedder = undefined;  // The next call tries again.
      throw error;
    });
    return embedder;
  };
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
