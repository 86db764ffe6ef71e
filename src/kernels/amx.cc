// AMX for int8 beside AVX-512 VNNI: Sapphire Rapids and later.

#include "kernels/generic.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/cpu_x86.h"

// gcc 12 warns of the undefined vectors that its own header makes on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace thimble::kernels {

THIMBLE_BEGIN_TARGET("amx-tile,amx-int8,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")
namespace amx {
// clang-format off: in this order
#include "kernels/vector_x86-inl.h"
#include "kernels/vector_avx512-inl.h"
#include "kernels/dot_avx512vnni-inl.h"
#include "kernels/packed_avx512-inl.h"
#include "kernels/lines-inl.h"
#include "kernels/products-inl.h"
#include "kernels/math-inl.h"
#include "kernels/gemm-inl.h"
#include "kernels/unpack-inl.h"
#include "kernels/instructions_amx-inl.h"
#include "kernels/gemm_amx-inl.h"
// clang-format on
}  // namespace amx
THIMBLE_END_TARGET

constinit const Kernels kAmx = amx::MakeAmxKernels("amx", [] { return DetectCpu().amx; });

}  // namespace thimble::kernels
#endif
