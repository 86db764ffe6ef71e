// The names of poolings.

#include <string_view>

#include "base/error.h"
#include "thimble/model.h"

namespace thimble::inline v0_1 {

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

std::string PoolingNames(std::span<const Pooling> pooling) {
  std::string names;
  for (Pooling way : pooling) names.append(names.empty() ? "" : "+").append(PoolingName(way));
  return names;
}

Result<Pooling> ParsePooling(std::string_view name) {
  for (const Named& named : kNames) {
    if (named.name == name) return named.pooling;
  }
  return Error(Code::kInvalidArgument, "unknown pooling \"", name,
               "\", expected mean, cls, last, max, mean_sqrt_len_tokens or weightedmean");
}

}  // namespace thimble::inline v0_1
