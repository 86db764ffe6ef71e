// AVX-512 without VNNI: Skylake-SP.

#include "kernels/generic.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/cpu_x86.h"

// gcc 12 warns of the undefined vectors that its own header makes on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace thimble::kernels {

THIMBLE_BEGIN_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")
namespace avx512 {
// clang-format off: in this order
#include "kernels/vector_x86-inl.h"
#include "kernels/vector_avx512-inl.h"
#include "kernels/packed_avx512-inl.h"
#include "kernels/dot_avx512-inl.h"
#include "kernels/pairs-inl.h"
#include "kernels/generic-inl.h"
#include "kernels/pairs_linear-inl.h"
#include "kernels/table-inl.h"
// clang-format on
}  // namespace avx512
THIMBLE_END_TARGET

constinit const Kernels kAvx512 = avx512::MakeKernels("avx512", [] { return DetectCpu().avx512; });

}  // namespace thimble::kernels
#endif
