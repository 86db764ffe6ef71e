// Token vectors to unit sentence vectors: pool(states, mask, pooling), of an ONNX tensor [texts][tokens][width], the
// attention mask as bigints in the same order, and 'mean' or 'cls'; gives a Float32Array [texts][width].

export function pool(states, mask, pooling) {
  const [count, length, width] = states.dims;
  const vectors = new Float32Array(count * width);
  for (let i = 0; i < count; ++i) {
    const vector = vectors.subarray(i * width, (i + 1) * width);
    const tokens = pooling === 'cls' ? 1 : length;
    for (let t = 0; t < tokens; ++t) {
      if (mask[i * length + t] === 0n) continue;
      for (let d = 0; d < width; ++d) vector[d] += states.data[(i * length + t) * width + d];
    }
    const norm = Math.hypot(...vector);
    for (let d = 0; d < width; ++d) vector[d] /= norm;
  }
  return vectors;
}
