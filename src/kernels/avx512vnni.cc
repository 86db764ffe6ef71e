// AVX-512 with VNNI: Ice Lake, Zen 4 and later.

#include "kernels/generic.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/cpu_x86.h"

// gcc 12 warns of the undefined vectors that its own header makes on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace thimble::kernels {

THIMBLE_BEGIN_TARGET("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")
namespace avx512vnni {
// clang-format off: in this order
#include "kernels/vector_x86-inl.h"
#include "kernels/vector_avx512-inl.h"
#include "kernels/dot_avx512vnni-inl.h"
#include "kernels/packed_avx512-inl.h"
#include "kernels/lines-inl.h"
#include "kernels/products-inl.h"
#include "kernels/generic-inl.h"
#include "kernels/unpack-inl.h"
#include "kernels/packed-inl.h"
#include "kernels/table-inl.h"
// clang-format on
}  // namespace avx512vnni
THIMBLE_END_TARGET

constinit const Kernels kAvx512Vnni =
    WithRowsOf<kAvx512>(avx512vnni::MakeKernels("avx512vnni", [] { return DetectCpu().avx512vnni; }));

}  // namespace thimble::kernels
#endif
