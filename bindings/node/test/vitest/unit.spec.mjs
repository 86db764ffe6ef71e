import { expect, test } from 'vitest';
import { createEmbeddingFunction } from 'thimble';

test('code that asks for a model gets the mock', async () => {
  const vector = await createEmbeddingFunction({ modelName: 'a-model-that-nobody-has' })('hello');
  expect(vector).toHaveLength(384);
  expect(vector[1]).toBe(Math.sin(532 + 1) * 0.1);
});
