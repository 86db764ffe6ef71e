// The reference: plain C++ for any processor.

#include "kernels/generic.h"

// Loops stay loops and calls stay calls: otherwise these functions, which next to no machine runs, are the largest of a
// package.
#undef THIMBLE_UNROLL
#define THIMBLE_UNROLL
#undef THIMBLE_INLINE
#define THIMBLE_INLINE inline
#undef THIMBLE_LAMBDA
#define THIMBLE_LAMBDA

namespace thimble::kernels {
namespace scalar {

// clang-format off: in this order
#include "kernels/vector_scalar-inl.h"
#include "kernels/fold_rows-inl.h"
#include "kernels/lines-inl.h"
#include "kernels/products-inl.h"
#include "kernels/generic-inl.h"
#include "kernels/unpack-inl.h"
#include "kernels/packed-inl.h"
#include "kernels/table-inl.h"
// clang-format on

}  // namespace scalar

constinit const Kernels kScalar = scalar::MakeKernels("scalar", [] { return true; });

}  // namespace thimble::kernels
