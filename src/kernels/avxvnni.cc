// AVX2 with the dot products of AVX-VNNI: Alder Lake, Zen 5 and later.

#include "kernels/generic.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/cpu_x86.h"

namespace thimble::kernels {

THIMBLE_BEGIN_TARGET("avxvnni,avx2,fma,f16c")
namespace avxvnni {
// clang-format off: in this order
#include "kernels/vector_x86-inl.h"
#include "kernels/vector_avx2-inl.h"
#include "kernels/codes_x86-inl.h"
#include "kernels/fold_rows-inl.h"
#include "kernels/instructions_avxvnni-inl.h"
#include "kernels/dot_avxvnni-inl.h"
#include "kernels/packed_avx2-inl.h"
#include "kernels/lines-inl.h"
#include "kernels/products-inl.h"
#include "kernels/generic-inl.h"
#include "kernels/unpack-inl.h"
#include "kernels/unpacked_linear-inl.h"
#include "kernels/table-inl.h"
// clang-format on
}  // namespace avxvnni
THIMBLE_END_TARGET

constinit const Kernels kAvxVnni =
    WithRowsOf<kAvx2>(avxvnni::MakeKernels("avxvnni", [] { return DetectCpu().avxvnni; }));

}  // namespace thimble::kernels
#endif
