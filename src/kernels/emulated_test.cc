// The sources of avxvnni.cc and amx.cc over emulated instructions, written after the operation sections of Intel's
// manual.

#include "kernels/emulated_test.h"

#include "kernels/generic.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdio>
#include <cstdlib>

#include "kernels/cpu_x86.h"

// gcc 12 warns of the undefined vectors that its own header makes on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace thimble::kernels {

// VPDPBUSD of one 32-bit lane: wraps, and does not saturate.
static std::int32_t DotOfLane(std::int32_t sum, const std::uint8_t* a, const std::int8_t* b) {
  for (int i = 0; i < 4; ++i) {
    sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) + static_cast<std::uint32_t>(a[i] * b[i]));
  }
  return sum;
}

// The state of AMX: one for a thread, as each has registers of its own.
struct Tiles {
  bool configured = false;
  std::uint8_t rows[8] = {};
  std::uint16_t row_bytes[8] = {};
  std::uint8_t data[8][16][64] = {};
};
static thread_local Tiles tiles;

// What the processor would answer with an exception.
static void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "emulated AMX: %s\n", what);
  std::abort();
}

THIMBLE_BEGIN_TARGET("avx2,fma,f16c")
namespace avxvnni_emulated {
THIMBLE_INLINE __m256i VexVpdpbusd(__m256i acc, __m256i a, __m256i b) {
  alignas(32) std::int32_t sums[8];
  alignas(32) std::uint8_t left[32];
  alignas(32) std::int8_t right[32];
  _mm256_store_si256(reinterpret_cast<__m256i*>(sums), acc);
  _mm256_store_si256(reinterpret_cast<__m256i*>(left), a);
  _mm256_store_si256(reinterpret_cast<__m256i*>(right), b);
  for (int n = 0; n < 8; ++n) sums[n] = DotOfLane(sums[n], left + 4 * n, right + 4 * n);
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(sums));
}
// clang-format off: in this order
#include "kernels/vector_x86-inl.h"
#include "kernels/vector_avx2-inl.h"
#include "kernels/codes_x86-inl.h"
#include "kernels/fold_rows-inl.h"
#include "kernels/dot_avxvnni-inl.h"
#include "kernels/packed_avx2-inl.h"
#include "kernels/lines-inl.h"
#include "kernels/products-inl.h"
#include "kernels/generic-inl.h"
#include "kernels/unpack-inl.h"
#include "kernels/unpacked_linear-inl.h"
#include "kernels/table-inl.h"
// clang-format on
}  // namespace avxvnni_emulated
THIMBLE_END_TARGET

THIMBLE_BEGIN_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")
namespace amx_emulated {
// clang-format off: in this order
#include "kernels/vector_x86-inl.h"
#include "kernels/vector_avx512-inl.h"
#include "kernels/dot_avx512vnni-inl.h"
#include "kernels/packed_avx512-inl.h"
#include "kernels/lines-inl.h"
#include "kernels/products-inl.h"
#include "kernels/math-inl.h"
#include "kernels/gemm-inl.h"
#include "kernels/unpack-inl.h"
// clang-format on

void TileConfigure(const void* config) {
  const auto* bytes = static_cast<const std::uint8_t*>(config);
  Require(bytes[0] == 1, "palette 1 has the tiles");
  for (int i = 1; i < 16; ++i) Require(bytes[i] == 0, "reserved bytes or a start row");
  tiles = {};
  tiles.configured = true;
  for (int tile = 0; tile < 8; ++tile) {
    std::memcpy(&tiles.row_bytes[tile], bytes + 16 + 2 * tile, 2);
    tiles.rows[tile] = bytes[48 + tile];
    Require(tiles.row_bytes[tile] >= 1 && tiles.row_bytes[tile] <= 64, "a row has 1 to 64 bytes");
    Require(tiles.rows[tile] >= 1 && tiles.rows[tile] <= 16, "a tile has 1 to 16 rows");
  }
  for (int i = 32; i < 48; ++i) Require(bytes[i] == 0, "tiles behind the eighth");
  for (int i = 56; i < 64; ++i) Require(bytes[i] == 0, "tiles behind the eighth");
}
void TileRelease() { tiles = {}; }
template <int kTile>
void TileLoad(const void* p, std::size_t stride) {
  Require(tiles.configured, "a load without a configuration");
  std::memset(tiles.data[kTile], 0, sizeof tiles.data[kTile]);
  for (std::size_t row = 0; row < tiles.rows[kTile]; ++row) {
    std::memcpy(tiles.data[kTile][row], static_cast<const char*>(p) + row * stride, tiles.row_bytes[kTile]);
  }
}
template <int kTile>
void TileStore(void* p, std::size_t stride) {
  Require(tiles.configured, "a store without a configuration");
  for (std::size_t row = 0; row < tiles.rows[kTile]; ++row) {
    std::memcpy(static_cast<char*>(p) + row * stride, tiles.data[kTile][row], tiles.row_bytes[kTile]);
  }
}
template <int kSum, int kA, int kB>
void TileDot() {
  Require(tiles.configured, "a product without a configuration");
  Require(kSum != kA && kSum != kB && kA != kB, "the tiles of a product are three");
  Require(tiles.rows[kSum] == tiles.rows[kA] && tiles.row_bytes[kSum] == tiles.row_bytes[kB] &&
              tiles.row_bytes[kA] == 4 * tiles.rows[kB],
          "the tiles' shapes do not match");
  for (std::size_t m = 0; m < tiles.rows[kSum]; ++m) {
    for (std::size_t k = 0; k < tiles.rows[kB]; ++k) {
      for (std::size_t n = 0; n < tiles.row_bytes[kSum] / 4u; ++n) {
        std::int32_t sum;
        std::int8_t weights[4];
        std::memcpy(&sum, &tiles.data[kSum][m][4 * n], 4);
        std::memcpy(weights, &tiles.data[kB][k][4 * n], 4);
        sum = DotOfLane(sum, &tiles.data[kA][m][4 * k], weights);
        std::memcpy(&tiles.data[kSum][m][4 * n], &sum, 4);
      }
    }
  }
}

// clang-format off: in this order
#include "kernels/gemm_amx-inl.h"
// clang-format on
}  // namespace amx_emulated
THIMBLE_END_TARGET

static bool HasAvx2() { return DetectCpu().avx2; }
static bool HasAvx512Vnni() { return DetectCpu().avx512vnni; }

std::vector<const Kernels*> EmulatedKernels() {
  static constexpr Kernels kAvxVnniEmulated = avxvnni_emulated::MakeKernels("avxvnni_emulated", HasAvx2);
  static constexpr Kernels kAmxEmulated = amx_emulated::MakeAmxKernels("amx_emulated", HasAvx512Vnni);
  return {&kAvxVnniEmulated, &kAmxEmulated};
}

}  // namespace thimble::kernels

#else

namespace thimble::kernels {
std::vector<const Kernels*> EmulatedKernels() { return {}; }
}  // namespace thimble::kernels

#endif
