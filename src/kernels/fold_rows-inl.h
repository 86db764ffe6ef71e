// ReduceMax and ReduceAdd of several vectors, one after the other.

// Lane i is that of row i; the lanes behind kRows are finite.
template <std::size_t kRows>
THIMBLE_INLINE F ReduceMaxRows(const F (&rows)[kRows]) {
  float lanes[16] = {};
  for (std::size_t i = 0; i < kRows; ++i) lanes[i] = ReduceMax(rows[i]);
  return Load(lanes);
}
template <std::size_t kRows>
THIMBLE_INLINE F ReduceAddRows(const F (&rows)[kRows]) {
  float lanes[16] = {};
  for (std::size_t i = 0; i < kRows; ++i) lanes[i] = ReduceAdd(rows[i]);
  return Load(lanes);
}
