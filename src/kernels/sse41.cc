// SSE4.1: processors of 2008 and later, and virtual ones that are told to hide AVX. Fused multiply-add is emulated.

#include "kernels/generic.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/cpu_x86.h"

// Tiles are no larger, and more rows than that do not fit into registers.
#undef THIMBLE_UNROLL
#define THIMBLE_UNROLL THIMBLE_UNROLL_4

namespace thimble::kernels {

THIMBLE_BEGIN_TARGET("sse4.1")
namespace sse41 {
// clang-format off: in this order
#include "kernels/vector_x86-inl.h"
#include "kernels/vector_sse41-inl.h"
#include "kernels/codes_x86-inl.h"
#include "kernels/fold_rows-inl.h"
#include "kernels/packed_sse41-inl.h"
#include "kernels/dot_sse41-inl.h"
#include "kernels/pairs-inl.h"
#include "kernels/generic-inl.h"
#include "kernels/pairs_linear-inl.h"
#include "kernels/table-inl.h"
// clang-format on
}  // namespace sse41
THIMBLE_END_TARGET

constinit const Kernels kSse41 = sse41::MakeKernels("sse41", [] { return DetectCpu().sse41; });

}  // namespace thimble::kernels
#endif
