// Pooling, and its names.

#include "model/pooling.h"

#include <cstring>

#include "base/error.h"

namespace thimble {

std::string_view PoolingName(Pooling pooling) {
  switch (pooling) {
    case Pooling::kMean:
      return "mean";
    case Pooling::kCls:
      return "cls";
    case Pooling::kLast:
      return "last";
  }
  return "";
}

Result<Pooling> ParsePooling(std::string_view name) {
  for (Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kLast}) {
    if (name == PoolingName(pooling)) return pooling;
  }
  return Error(Code::kInvalidArgument, "unknown pooling \"", name, "\", expected mean, cls or last");
}

void Pool(const kernels::Kernels& kernels, Pooling pooling, bool normalize, const float* rows, std::size_t tokens,
          std::size_t width, float* out) {
  switch (pooling) {
    case Pooling::kMean:
      kernels.mean(rows, tokens, width, out);
      break;
    case Pooling::kCls:
      std::memcpy(out, rows, width * sizeof(float));
      break;
    case Pooling::kLast:
      std::memcpy(out, rows + (tokens - 1) * width, width * sizeof(float));
      break;
  }
  if (normalize) kernels.normalize(out, width);
}

}  // namespace thimble
