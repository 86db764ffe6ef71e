// Run by vitest with each of its pools of threads.
import { Embedder, ThimbleError, createEmbeddingFunction } from 'thimble';
import { expect, test } from 'vitest';

test('a worker of vitest embeds', async () => {
  const embedder = await Embedder.create(process.env.THIMBLE_MODEL);
  expect(await embedder.embed('a text')).toHaveLength(embedder.dimensions);
  await embedder.embedInto(['a text'], new Float32Array(embedder.dimensions));
  await expect(createEmbeddingFunction({ modelName: '/none.safetensors' })('a')).rejects.toBeInstanceOf(ThimbleError);
});
