// What an x86-64 processor and its system have. The compilers' own __builtin_cpu_supports is not in every compiler's
// library: zig's says no to everything.

#ifndef THIMBLE_KERNELS_CPU_X86_H_
#define THIMBLE_KERNELS_CPU_X86_H_

#include <cpuid.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstdint>

namespace thimble::kernels {

struct CpuX86 {
  bool sse41 = false;
  bool avx2 = false;        // With FMA and F16C.
  bool avxvnni = false;     // And avx2.
  bool avx512 = false;      // F, BW, VL and DQ, and avx2.
  bool avx512vnni = false;  // And avx512.
  bool amx = false;         // Tiles of int8, and avx512vnni.
};

// Asks the system for the use of the tiles' registers, which it grants to a process once and for all.
inline bool RequestTiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

// Intel's manual, volume 1, chapters 14, 15 and 18: the instructions, and the registers that the system saves (XCR0).
inline CpuX86 DetectCpu() {
  struct Registers {
    std::uint32_t a = 0, b = 0, c = 0, d = 0;
  };
  auto leaf = [](unsigned number, unsigned part) {
    Registers r;
    __get_cpuid_count(number, part, &r.a, &r.b, &r.c, &r.d);
    return r;
  };
  auto has = [](std::uint32_t word, std::uint32_t bits) { return (word & bits) == bits; };
  constexpr std::uint32_t kSse41Bits = 1u << 9 | 1u << 19;                          // 1: ecx, with SSSE3
  constexpr std::uint32_t kAvxBits = 1u << 12 | 1u << 27 | 1u << 28 | 1u << 29;     // 1: ecx, FMA, OSXSAVE, F16C
  constexpr std::uint32_t kAvx2Bits = 1u << 5;                                      // 7: ebx
  constexpr std::uint32_t kAvx512Bits = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // 7: ebx
  constexpr std::uint32_t kAvx512VnniBits = 1u << 11;                               // 7: ecx
  constexpr std::uint32_t kAmxBits = 1u << 24 | 1u << 25;                           // 7: edx
  constexpr std::uint32_t kAvxVnniBits = 1u << 4;                                   // 7.1: eax
  constexpr std::uint32_t kYmmState = 0x6, kZmmState = 0xe6, kTileState = 3u << 17;
  CpuX86 cpu;
  const Registers one = leaf(1, 0), seven = leaf(7, 0);
  cpu.sse41 = has(one.c, kSse41Bits);
  if (!has(one.c, kAvxBits)) return cpu;
  std::uint32_t state = 0, high = 0;
  __asm__("xgetbv" : "=a"(state), "=d"(high) : "c"(0));
  cpu.avx2 = has(seven.b, kAvx2Bits) && has(state, kYmmState);
  cpu.avxvnni = cpu.avx2 && seven.a >= 1 && has(leaf(7, 1).a, kAvxVnniBits);
  cpu.avx512 = cpu.avx2 && has(seven.b, kAvx512Bits) && has(state, kZmmState);
  cpu.avx512vnni = cpu.avx512 && has(seven.c, kAvx512VnniBits);
  cpu.amx = cpu.avx512vnni && has(seven.d, kAmxBits) && has(state, kTileState) && RequestTiles();
  return cpu;
}

}  // namespace thimble::kernels

#endif  // THIMBLE_KERNELS_CPU_X86_H_
