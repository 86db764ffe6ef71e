import { expect, test } from 'vitest';
import { Embedder, createEmbeddingFunction } from 'thimble';

test('code that asks for a model gets it', async () => {
  const embedder = await Embedder.create('small');
  expect(embedder.info.name).not.toMatch(/mock/);
  expect(await createEmbeddingFunction({ modelName: 'small' })('hello')).toHaveLength(embedder.dimensions);
});
