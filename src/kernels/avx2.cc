// AVX2 with FMA and F16C: Haswell, Zen and later.

#include "kernels/generic.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/cpu_x86.h"

namespace thimble::kernels {

THIMBLE_BEGIN_TARGET("avx2,fma,f16c")
namespace avx2 {
// clang-format off: in this order
#include "kernels/vector_x86-inl.h"
#include "kernels/vector_avx2-inl.h"
#include "kernels/codes_x86-inl.h"
#include "kernels/fold_rows-inl.h"
#include "kernels/packed_avx2-inl.h"
#include "kernels/dot_avx2-inl.h"
#include "kernels/pairs-inl.h"
#include "kernels/generic-inl.h"
#include "kernels/pairs_linear-inl.h"
#include "kernels/table-inl.h"
// clang-format on
}  // namespace avx2
THIMBLE_END_TARGET

constinit const Kernels kAvx2 = avx2::MakeKernels("avx2", [] { return DetectCpu().avx2; });

}  // namespace thimble::kernels
#endif
