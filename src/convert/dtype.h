// The dtypes of model files.

#ifndef THIMBLE_CONVERT_DTYPE_H_
#define THIMBLE_CONVERT_DTYPE_H_

#include <string_view>

#include "thimble/status.h"

namespace thimble::convert {

enum class Dtype { kFp32, kFp16, kQ8, kQ6, kQ4, kQ4Small };

std::string_view DtypeName(Dtype dtype);
// kInvalidArgument for a name other than fp32, fp16, q8, q6, q4, q4-small.
Result<Dtype> ParseDtype(std::string_view name);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_DTYPE_H_
