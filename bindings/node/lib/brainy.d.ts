import type { EmbeddingFunctionOptions } from './index.js';

/**
 * An embedding function of Brainy. It always returns one vector: that of the first non-blank text of an array, or zeros if
 * there is none.
 */
export function embeddingFunction(options?: EmbeddingFunctionOptions):
  (data: string | string[], options?: { signal?: AbortSignal; promptName?: string }) => Promise<number[]>;
