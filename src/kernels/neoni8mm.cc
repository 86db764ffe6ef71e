// NEON with matrix products of bytes (i8mm): Neoverse V1 and N2, Apple M2 and later.

#include "kernels/generic.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "kernels/cpu_arm.h"

namespace thimble::kernels {

THIMBLE_BEGIN_TARGET("arch=armv8.2-a+dotprod+i8mm")
namespace neoni8mm {
// clang-format off: in this order
#include "kernels/vector_neon-inl.h"
#include "kernels/fold_rows-inl.h"
#include "kernels/dot_neoni8mm-inl.h"
#include "kernels/packed_neon-inl.h"
#include "kernels/lines-inl.h"
#include "kernels/generic-inl.h"
#include "kernels/unpack-inl.h"
#include "kernels/paired_linear-inl.h"
#include "kernels/table-inl.h"
// clang-format on
}  // namespace neoni8mm
THIMBLE_END_TARGET

constinit const Kernels kNeonI8mm =
    WithRowsOf<kNeon>(neoni8mm::MakeKernels("neoni8mm", [] { return DetectCpu().i8mm; }));

}  // namespace thimble::kernels
#endif
