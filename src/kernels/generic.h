// What the files of an instruction set include before they open their target region.

#ifndef THIMBLE_KERNELS_GENERIC_H_
#define THIMBLE_KERNELS_GENERIC_H_

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/checked.h"
#include "kernels/half.h"
#include "kernels/kernels.h"
#include "kernels/region.h"

namespace thimble::kernels {

// One for each file of this folder that defines it.
extern const Kernels kScalar;
#if defined(__x86_64__)
extern const Kernels kAvx2;
extern const Kernels kAvx512Vnni;
#endif

}  // namespace thimble::kernels

#endif  // THIMBLE_KERNELS_GENERIC_H_
