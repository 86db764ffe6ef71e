// What a 64-bit ARM processor has beyond NEON, as its system reports it.

#ifndef THIMBLE_KERNELS_CPU_ARM_H_
#define THIMBLE_KERNELS_CPU_ARM_H_

#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include <cstddef>

namespace thimble::kernels {

struct CpuArm {
  bool dotprod = false;
  bool i8mm = false;  // With dotprod.
};

// Nothing but NEON on other systems.
inline CpuArm DetectCpu() {
  CpuArm cpu;
#if defined(__linux__)
  // asm/hwcap.h of the kernel; older headers lack some names.
  constexpr unsigned long kDotprodBit = 1ul << 20;  // AT_HWCAP
  constexpr unsigned long kI8mmBit = 1ul << 13;     // AT_HWCAP2
  cpu.dotprod = (getauxval(AT_HWCAP) & kDotprodBit) != 0;
  cpu.i8mm = cpu.dotprod && (getauxval(AT_HWCAP2) & kI8mmBit) != 0;
#elif defined(__APPLE__)
  auto has = [](const char* feature) {
    int value = 0;
    std::size_t size = sizeof value;
    return sysctlbyname(feature, &value, &size, nullptr, 0) == 0 && value != 0;
  };
  cpu.dotprod = has("hw.optional.arm.FEAT_DotProd");
  cpu.i8mm = cpu.dotprod && has("hw.optional.arm.FEAT_I8MM");
#endif
  return cpu;
}

}  // namespace thimble::kernels

#endif  // THIMBLE_KERNELS_CPU_ARM_H_
