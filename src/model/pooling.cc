// Pooling, and its names.

#include "model/pooling.h"

#include <cstring>

#include "base/error.h"

namespace thimble {

namespace {

struct Named {
  Pooling pooling;
  std::string_view name;
};
constexpr Named kNames[] = {{Pooling::kMean, "mean"},
                            {Pooling::kCls, "cls"},
                            {Pooling::kLast, "last"},
                            {Pooling::kMax, "max"},
                            {Pooling::kMeanSqrtLen, "mean_sqrt_len_tokens"},
                            {Pooling::kWeightedMean, "weightedmean"}};

}  // namespace

std::string_view PoolingName(Pooling pooling) {
  for (const Named& named : kNames) {
    if (named.pooling == pooling) return named.name;
  }
  return "";
}

Result<Pooling> ParsePooling(std::string_view name) {
  for (const Named& named : kNames) {
    if (named.name == name) return named.pooling;
  }
  return Error(Code::kInvalidArgument, "unknown pooling \"", name,
               "\", expected mean, cls, last, max, mean_sqrt_len_tokens or weightedmean");
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
