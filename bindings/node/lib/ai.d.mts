import type { ModelOptions, PoolOptions } from './index.js';

/**
 * An embedding model of the Vercel AI SDK, for embed() and embedMany(). `providerOptions: { thimble: { dimensions: 128 } }` has
 * options of a call.
 */
export function embeddingModel(modelName?: string, options?: ModelOptions & PoolOptions): {
  readonly specificationVersion: 'v3';
  readonly provider: string;
  readonly modelId: string;
  readonly maxEmbeddingsPerCall: number;
  readonly supportsParallelCalls: boolean;
  doEmbed(options: {
    values: string[];
    abortSignal?: AbortSignal;
    providerOptions?: Record<string, Record<string, unknown>>;
  }): Promise<{
    embeddings: number[][];
    usage: { tokens: number } | undefined;
    warnings: { type: 'other'; message: string }[];
  }>;
};
