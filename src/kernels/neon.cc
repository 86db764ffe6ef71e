// NEON: every 64-bit ARM.

#include "kernels/generic.h"

#if defined(__aarch64__)
#include <arm_neon.h>

namespace thimble::kernels {

THIMBLE_BEGIN_TARGET("arch=armv8-a")
namespace neon {
// clang-format off: in this order
#include "kernels/vector_neon-inl.h"
#include "kernels/fold_rows-inl.h"
#include "kernels/dot_neon-inl.h"
#include "kernels/packed_neon-inl.h"
#include "kernels/lines-inl.h"
#include "kernels/products-inl.h"
#include "kernels/generic-inl.h"
#include "kernels/unpack-inl.h"
#include "kernels/unpacked_linear-inl.h"
#include "kernels/table-inl.h"
// clang-format on
}  // namespace neon
THIMBLE_END_TARGET

constinit const Kernels kNeon = neon::MakeKernels("neon", [] { return true; });

}  // namespace thimble::kernels
#endif
