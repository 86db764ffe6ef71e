// Kernels of instruction sets that few machines have, over an emulation of their instructions.

#ifndef THIMBLE_KERNELS_EMULATED_TEST_H_
#define THIMBLE_KERNELS_EMULATED_TEST_H_

#include <vector>

#include "kernels/kernels.h"

namespace thimble::kernels {

// Named "avxvnni_emulated" and "amx_emulated". They need avx2 and avx512vnni.
std::vector<const Kernels*> EmulatedKernels();

}  // namespace thimble::kernels

#endif  // THIMBLE_KERNELS_EMULATED_TEST_H_
