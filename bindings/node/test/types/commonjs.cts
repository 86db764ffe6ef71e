// The types from CommonJS.

import thimble = require('thimble');
import brainy = require('thimble/brainy');
import transformers = require('thimble/transformers');

async function use(): Promise<number> {
  const embed: thimble.EmbeddingFunction = thimble.createEmbeddingFunction({ modelName: 'small' });
  const vector: number[] = await embed('a');
  const first: number[] = await brainy.embeddingFunction({ dtype: 'q8' })(['a', 'b']);
  const extractor = await transformers.pipeline('feature-extraction');
  const output: transformers.Tensor = await extractor('a');
  // @ts-expect-error: a text gives numbers.
  const wrong: string = vector[0];
  return vector.length + first.length + output.size + wrong.length;
}
void use;
