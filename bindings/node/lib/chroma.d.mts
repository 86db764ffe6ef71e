import type { EmbeddingFunction } from 'chromadb';
import type { EmbeddingFunctionOptions } from './index.js';

/** An embedding function of Chroma, registered by its name. */
export class ThimbleEmbeddingFunction implements EmbeddingFunction {
  constructor(options?: EmbeddingFunctionOptions);
  readonly name: string;
  generate(texts: string[]): Promise<number[][]>;
  defaultSpace(): 'cosine';
  supportedSpaces(): ('cosine' | 'l2' | 'ip')[];
  getConfig(): Record<string, any>;
  static buildFromConfig(config: Record<string, any>): ThimbleEmbeddingFunction;
  validateConfigUpdate(config: Record<string, any>): void;
}
