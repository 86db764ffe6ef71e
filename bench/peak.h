// The most multiply-accumulates a second of one core that each instruction set can do, by the instructions that its
// products take, on registers alone. A call takes about 20 microseconds.

#ifndef THIMBLE_BENCH_PEAK_H_
#define THIMBLE_BENCH_PEAK_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/matrix.h"

namespace thimble::bench {

inline double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The bytes a second that one core reads in their order.
inline double ReadRate(const void* bytes, std::size_t size) {
  const auto* words = static_cast<const std::uint64_t*>(bytes);
  std::uint64_t sums[16] = {};
  const double begin = Now();
  for (std::size_t i = 0; i + 16 <= size / 8; i += 16) {
    for (std::size_t j = 0; j < 16; ++j) sums[j] ^= words[i + j];
  }
  for (std::uint64_t& sum : sums) asm volatile("" : "+m"(sum));
  return static_cast<double>(size) / (Now() - begin);
}

#if defined(__x86_64__)
// A function that repeats `body` on ten sums; it does `macs` multiply-accumulates on each. `body` takes the numbers of
// two sums and of two registers for products: products come first, because processors spread them over their ports
// better so. Registers 14 and 15 are the factors, of zeros: values do not change the time.
#define THIMBLE_PEAK(name, target_features, loops, macs, body)                                                        \
  __attribute__((target(target_features), noinline)) inline double name() {                                           \
    const double begin = Now();                                                                                       \
    asm volatile("pxor %%xmm14, %%xmm14\n pxor %%xmm15, %%xmm15" ::: "xmm14", "xmm15");                               \
    for (int i = 0; i < loops; ++i) {                                                                                 \
      asm volatile(body("0", "1", "10", "11") body("2", "3", "12", "13") body("4", "5", "10", "11")                   \
                       body("6", "7", "12", "13") body("8", "9", "10", "11")::                                        \
                           : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
                             "xmm11", "xmm12", "xmm13");                                                              \
    }                                                                                                                 \
    return 10.0 * loops * macs / (Now() - begin);                                                                     \
  }

// Pairs of words, as q8 without a dot product of bytes; bytes and codes in pairs with their multipliers (q6); bytes and
// codes in words (q4).
#define THIMBLE_SSE(instruction, a, b) instruction " %%xmm" a ", %%xmm" b "\n"
#define THIMBLE_SSE_PRODUCTS(product, p, q) \
  THIMBLE_SSE("movdqa", "14", p)            \
  THIMBLE_SSE("movdqa", "14", q) THIMBLE_SSE(product, "15", p) THIMBLE_SSE(product, "15", q)
#define THIMBLE_SSE_SUMS(sum, a, b, p, q) THIMBLE_SSE(sum, p, a) THIMBLE_SSE(sum, q, b)
#define THIMBLE_SSE_PAIRS(a, b, p, q) THIMBLE_SSE_PRODUCTS("pmaddwd", p, q) THIMBLE_SSE_SUMS("paddd", a, b, p, q)
#define THIMBLE_SSE_CODES(a, b, p, q)     \
  THIMBLE_SSE_PRODUCTS("pmaddubsw", p, q) \
  THIMBLE_SSE("pmaddwd", "15", p) THIMBLE_SSE("pmaddwd", "15", q) THIMBLE_SSE_SUMS("paddd", a, b, p, q)
#define THIMBLE_SSE_WORDS(a, b, p, q) THIMBLE_SSE_PRODUCTS("pmaddubsw", p, q) THIMBLE_SSE_SUMS("paddw", a, b, p, q)
#define THIMBLE_VEX(r, instruction, a, b, c) instruction " %%" r a ", %%" r b ", %%" r c "\n"
#define THIMBLE_VEX_SUMS(r, sum, a, b, p, q) THIMBLE_VEX(r, sum, p, a, a) THIMBLE_VEX(r, sum, q, b, b)
#define THIMBLE_VEX_PAIRS(r, a, b, p, q) THIMBLE_VEX_TWO(r, "vpmaddwd", p, q) THIMBLE_VEX_SUMS(r, "vpaddd", a, b, p, q)
#define THIMBLE_VEX_CODES(r, a, b, p, q) \
  THIMBLE_VEX_TWO(r, "vpmaddubsw", p, q) \
  THIMBLE_VEX(r, "vpmaddwd", p, "15", p) \
  THIMBLE_VEX(r, "vpmaddwd", q, "15", q) THIMBLE_VEX_SUMS(r, "vpaddd", a, b, p, q)
#define THIMBLE_VEX_WORDS(r, a, b, p, q) \
  THIMBLE_VEX_TWO(r, "vpmaddubsw", p, q) THIMBLE_VEX_SUMS(r, "vpaddw", a, b, p, q)
#define THIMBLE_VEX_TWO(r, instruction, a, b) \
  THIMBLE_VEX(r, instruction, "14", "15", a) THIMBLE_VEX(r, instruction, "14", "15", b)
#define THIMBLE_YMM_PAIRS(a, b, p, q) THIMBLE_VEX_PAIRS("ymm", a, b, p, q)
#define THIMBLE_YMM_CODES(a, b, p, q) THIMBLE_VEX_CODES("ymm", a, b, p, q)
#define THIMBLE_YMM_WORDS(a, b, p, q) THIMBLE_VEX_WORDS("ymm", a, b, p, q)
#define THIMBLE_ZMM_PAIRS(a, b, p, q) THIMBLE_VEX_PAIRS("zmm", a, b, p, q)
#define THIMBLE_ZMM_CODES(a, b, p, q) THIMBLE_VEX_CODES("zmm", a, b, p, q)
#define THIMBLE_ZMM_WORDS(a, b, p, q) THIMBLE_VEX_WORDS("zmm", a, b, p, q)
#define THIMBLE_YMM_DOT(a, b, p, q) THIMBLE_VEX_TWO("ymm", "%{vex%} vpdpbusd", a, b)
#define THIMBLE_ZMM_DOT(a, b, p, q) THIMBLE_VEX_TWO("zmm", "vpdpbusd", a, b)
#define THIMBLE_YMM_FLOATS(a, b, p, q) THIMBLE_VEX_TWO("ymm", "vfmadd231ps", a, b)
#define THIMBLE_ZMM_FLOATS(a, b, p, q) THIMBLE_VEX_TWO("zmm", "vfmadd231ps", a, b)

THIMBLE_PEAK(PeakPairsSse, "sse4.1", 6000, 8, THIMBLE_SSE_PAIRS)
THIMBLE_PEAK(PeakCodesSse, "sse4.1", 6000, 16, THIMBLE_SSE_CODES)
THIMBLE_PEAK(PeakWordsSse, "sse4.1", 6000, 16, THIMBLE_SSE_WORDS)
THIMBLE_PEAK(PeakPairsAvx2, "avx2", 8000, 16, THIMBLE_YMM_PAIRS)
THIMBLE_PEAK(PeakCodesAvx2, "avx2", 8000, 32, THIMBLE_YMM_CODES)
THIMBLE_PEAK(PeakWordsAvx2, "avx2", 8000, 32, THIMBLE_YMM_WORDS)
THIMBLE_PEAK(PeakDotAvxVnni, "avx2", 8000, 32, THIMBLE_YMM_DOT)
THIMBLE_PEAK(PeakPairsAvx512, "avx512bw", 5000, 32, THIMBLE_ZMM_PAIRS)
THIMBLE_PEAK(PeakCodesAvx512, "avx512bw", 5000, 64, THIMBLE_ZMM_CODES)
THIMBLE_PEAK(PeakWordsAvx512, "avx512bw", 5000, 64, THIMBLE_ZMM_WORDS)
THIMBLE_PEAK(PeakDotAvx512, "avx512f,avx512vnni", 8000, 64, THIMBLE_ZMM_DOT)
THIMBLE_PEAK(PeakFloatsAvx2, "avx2,fma", 8000, 8, THIMBLE_YMM_FLOATS)
THIMBLE_PEAK(PeakFloatsAvx512, "avx512f", 8000, 16, THIMBLE_ZMM_FLOATS)
#endif

// The peaks of one instruction set; null where its products are not built from one instruction.
struct Peaks {
  std::string_view isa;
  double (*q8)() = nullptr;
  double (*q6)() = nullptr;
  double (*q4)() = nullptr;
  double (*floats)() = nullptr;

  double (*Of(kernels::WeightFormat format) const)() {
    switch (format) {
      case kernels::WeightFormat::kQ8:
        return q8;
      case kernels::WeightFormat::kQ6:
        return q6;
      case kernels::WeightFormat::kQ4:
        return q4;
      default:
        return floats;
    }
  }
};

// Of the set called `isa`; of one that is not listed, all null.
inline Peaks PeaksOf(std::string_view isa) {
#if defined(__x86_64__)
  static constexpr Peaks kAll[] = {
      {"sse41", PeakPairsSse, PeakCodesSse, PeakWordsSse, nullptr},
      {"avx2", PeakPairsAvx2, PeakCodesAvx2, PeakWordsAvx2, PeakFloatsAvx2},
      {"avxvnni", PeakDotAvxVnni, PeakDotAvxVnni, PeakDotAvxVnni, PeakFloatsAvx2},
      {"avx512", PeakPairsAvx512, PeakCodesAvx512, PeakWordsAvx512, PeakFloatsAvx512},
      {"avx512vnni", PeakDotAvx512, PeakDotAvx512, PeakDotAvx512, PeakFloatsAvx512},
  };
  for (const Peaks& peaks : kAll) {
    if (peaks.isa == isa) return peaks;
  }
#endif
  return {.isa = isa};
}

}  // namespace thimble::bench

#endif  // THIMBLE_BENCH_PEAK_H_
