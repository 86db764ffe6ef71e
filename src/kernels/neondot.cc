// NEON with dot products (dotprod): Cortex-A76, Neoverse N1, Apple M1 and later.

#include "kernels/generic.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "kernels/cpu_arm.h"

namespace thimble::kernels {

THIMBLE_BEGIN_TARGET("arch=armv8.2-a+dotprod")
namespace neondot {
// clang-format off: in this order
#include "kernels/vector_neon-inl.h"
#include "kernels/fold_rows-inl.h"
#include "kernels/dot_neondot-inl.h"
#include "kernels/packed_neon-inl.h"
#include "kernels/lines-inl.h"
#include "kernels/generic-inl.h"
#include "kernels/unpack-inl.h"
#include "kernels/unpacked_linear-inl.h"
#include "kernels/table-inl.h"
// clang-format on
}  // namespace neondot
THIMBLE_END_TARGET

constinit const Kernels kNeonDot =
    WithRowsOf<kNeon>(neondot::MakeKernels("neondot", [] { return DetectCpu().dotprod; }));

}  // namespace thimble::kernels
#endif
