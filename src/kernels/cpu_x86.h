// What an x86-64 processor and its system have. The compilers' own __builtin_cpu_supports is not in every compiler's
// library: zig's says no to everything.

#ifndef THIMBLE_KERNELS_CPU_X86_H_
#define THIMBLE_KERNELS_CPU_X86_H_

#include <cpuid.h>

#include <cstdint>

namespace thimble::kernels {

struct CpuX86 {
  bool avx2 = false;        // With FMA and F16C.
  bool avx512vnni = false;  // With F, BW, VL and DQ, and what avx2 stands for.
};

// Intel's manual, volume 1, chapters 14 and 15: the instructions, and the registers that the system saves (XCR0).
inline CpuX86 DetectCpu() {
  constexpr std::uint32_t kFmaBits = 1u << 12, kOsxsaveBits = 1u << 27, kAvxBits = 1u << 28,
                          kF16cBits = 1u << 29;                                     // 1: ecx
  constexpr std::uint32_t kAvx2Bits = 1u << 5;                                      // 7: ebx
  constexpr std::uint32_t kAvx512Bits = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // 7: ebx
  constexpr std::uint32_t kVnniBits = 1u << 11;                                     // 7: ecx
  constexpr std::uint32_t kYmmState = 0x6, kZmmState = 0xe6;
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return {};
  constexpr std::uint32_t kBaseBits = kFmaBits | kOsxsaveBits | kAvxBits | kF16cBits;
  if ((ecx & kBaseBits) != kBaseBits || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return {};
  std::uint32_t state = 0, high = 0;
  __asm__("xgetbv" : "=a"(state), "=d"(high) : "c"(0));
  CpuX86 cpu;
  cpu.avx2 = (ebx & kAvx2Bits) != 0 && (state & kYmmState) == kYmmState;
  cpu.avx512vnni =
      cpu.avx2 && (ebx & kAvx512Bits) == kAvx512Bits && (ecx & kVnniBits) != 0 && (state & kZmmState) == kZmmState;
  return cpu;
}

}  // namespace thimble::kernels

#endif  // THIMBLE_KERNELS_CPU_X86_H_
