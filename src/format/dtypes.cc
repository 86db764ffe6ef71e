// Looking up dtypes, and lists of names for messages.

#include "format/dtypes.h"

#include <vector>

#include "base/error.h"

namespace thimble::format {
namespace {

std::string Alternatives(const std::vector<std::string_view>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text.append(i == 0 ? "" : i + 1 == names.size() ? " or " : ", ").append(names[i]);
  }
  return text;
}

}  // namespace

const DtypeFormats* FindDtype(std::string_view name) {
  for (const DtypeFormats& dtype : kDtypes) {
    if (dtype.name == name) return &dtype;
  }
  return nullptr;
}

Result<Dtype> ParseDtype(std::string_view name) {
  if (const DtypeFormats* dtype = FindDtype(name)) return static_cast<Dtype>(dtype - kDtypes.data());
  return Error(Code::kInvalidArgument, "unknown dtype \"", name, "\", expected ", DtypeNames());
}

std::string DtypeNames() {
  std::vector<std::string_view> names;
  for (const DtypeFormats& dtype : kDtypes) names.push_back(dtype.name);
  return Alternatives(names);
}

std::string WeightFormatNames(bool integer) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < std::size(kWeightFormatNames); ++i) {
    if (IsInteger(static_cast<WeightFormat>(i)) == integer) names.push_back(kWeightFormatNames[i]);
  }
  return Alternatives(names);
}

}  // namespace thimble::format
