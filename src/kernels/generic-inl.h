// Everything above the vector operations, compiled once for each instruction set inside its target region and
// namespace. Nothing else may be included inside the region; what these files need is in generic.h.

// clang-format off: in this order
#include "kernels/math-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/gemm-inl.h"
#include "kernels/attention-inl.h"
// clang-format on
