// The types from CommonJS.

import thimble = require('thimble');
import transformers = require('thimble/transformers');

async function use(): Promise<number> {
  const embed: thimble.EmbeddingFunction = thimble.createEmbeddingFunction({ modelName: 'small' });
  const vector: number[] = await embed('a');
  const extractor = await transformers.pipeline('feature-extraction');
  const output: transformers.Tensor = await extractor('a');
  // @ts-expect-error: a text gives numbers.
  const wrong: string = vector[0];
  return vector.length + output.size + wrong.length;
}
void use;
