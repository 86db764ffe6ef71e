// The most multiply-accumulates a second of one core that each instruction set can do, by the instructions that its
// products take, on registers alone. A call takes about 20 microseconds.

#ifndef THIMBLE_BENCH_PEAK_H_
#define THIMBLE_BENCH_PEAK_H_

#include <chrono>
#include <string_view>

#include "kernels/matrix.h"

namespace thimble::bench {

inline double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

#if defined(__x86_64__)
// A function that repeats `body` on ten sums; it does `macs` multiply-accumulates on each. `body` takes the number of a
// sum and of a register for products. Registers 14 and 15 are the factors, of zeros: values do not change the time.
#define THIMBLE_PEAK(name, target_features, loops, macs, body)                                                        \
  __attribute__((target(target_features), noinline)) inline double name() {                                           \
    const double begin = Now();                                                                                       \
    asm volatile("pxor %%xmm14, %%xmm14\n pxor %%xmm15, %%xmm15" ::: "xmm14", "xmm15");                               \
    for (int i = 0; i < loops; ++i) {                                                                                 \
      asm volatile(body("0", "10") body("1", "11") body("2", "12") body("3", "10") body("4", "11") body("5", "12")    \
                       body("6", "10") body("7", "11") body("8", "12") body("9", "10")::                              \
                           : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
                             "xmm11", "xmm12");                                                                       \
    }                                                                                                                 \
    return 10.0 * loops * macs / (Now() - begin);                                                                     \
  }

// Pairs of words, as q8 without a dot product of bytes; bytes and codes in pairs with their multipliers (q6); bytes and
// codes in words (q4).
#define THIMBLE_SSE_PAIRS(sum, product) \
  "movdqa %%xmm14, %%xmm" product "\n pmaddwd %%xmm15, %%xmm" product "\n paddd %%xmm" product ", %%xmm" sum "\n"
#define THIMBLE_SSE_CODES(sum, product)                                                                     \
  "movdqa %%xmm14, %%xmm" product "\n pmaddubsw %%xmm15, %%xmm" product "\n pmaddwd %%xmm15, %%xmm" product \
  "\n paddd %%xmm" product ", %%xmm" sum "\n"
#define THIMBLE_SSE_WORDS(sum, product) \
  "movdqa %%xmm14, %%xmm" product "\n pmaddubsw %%xmm15, %%xmm" product "\n paddw %%xmm" product ", %%xmm" sum "\n"
#define THIMBLE_VEX_PAIRS(r, sum, product) \
  "vpmaddwd %%" r "14, %%" r "15, %%" r product "\n vpaddd %%" r product ", %%" r sum ", %%" r sum "\n"
#define THIMBLE_VEX_CODES(r, sum, product)                                                               \
  "vpmaddubsw %%" r "14, %%" r "15, %%" r product "\n vpmaddwd %%" r product ", %%" r "15, %%" r product \
  "\n vpaddd %%" r product ", %%" r sum ", %%" r sum "\n"
#define THIMBLE_VEX_WORDS(r, sum, product) \
  "vpmaddubsw %%" r "14, %%" r "15, %%" r product "\n vpaddw %%" r product ", %%" r sum ", %%" r sum "\n"
#define THIMBLE_YMM_PAIRS(sum, product) THIMBLE_VEX_PAIRS("ymm", sum, product)
#define THIMBLE_YMM_CODES(sum, product) THIMBLE_VEX_CODES("ymm", sum, product)
#define THIMBLE_YMM_WORDS(sum, product) THIMBLE_VEX_WORDS("ymm", sum, product)
#define THIMBLE_ZMM_PAIRS(sum, product) THIMBLE_VEX_PAIRS("zmm", sum, product)
#define THIMBLE_ZMM_CODES(sum, product) THIMBLE_VEX_CODES("zmm", sum, product)
#define THIMBLE_ZMM_WORDS(sum, product) THIMBLE_VEX_WORDS("zmm", sum, product)
#define THIMBLE_YMM_DOT(sum, product) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" sum "\n"
#define THIMBLE_ZMM_DOT(sum, product) "vpdpbusd %%zmm14, %%zmm15, %%zmm" sum "\n"
#define THIMBLE_YMM_FLOATS(sum, product) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" sum "\n"
#define THIMBLE_ZMM_FLOATS(sum, product) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" sum "\n"

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
