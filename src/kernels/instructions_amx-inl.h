// The instructions of AMX, in a file of its own so that tests can put an emulation in its place.

// Lays out the eight tiles as `config` says (Intel's manual, LDTILECFG, palette 1), all zero.
THIMBLE_INLINE void TileConfigure(const void* config) {
  asm volatile("ldtilecfg %0" : : "m"(*static_cast<const char(*)[64]>(config)));
}
THIMBLE_INLINE void TileRelease() { asm volatile("tilerelease"); }
// Rows of a tile from or to memory, `stride` bytes apart.
template <int kTile>
THIMBLE_INLINE void TileLoad(const void* p, std::size_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
}
template <int kTile>
THIMBLE_INLINE void TileStore(void* p, std::size_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
}
// The tile kSum[m][n] += sum over k and i of kA[m][4k + i], unsigned, times kB[k][4n + i], signed.
template <int kSum, int kA, int kB>
THIMBLE_INLINE void TileDot() {
  asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
}
