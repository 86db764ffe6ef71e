// The families that thimble knows.

#include "convert/names/family.h"

#include <algorithm>

namespace thimble::convert {

// In the files beside this one.
extern const Family kBert, kRoberta, kXlmRoberta, kCamembert, kDistilbert;
static constexpr const Family* kFamilies[] = {&kBert, &kRoberta, &kXlmRoberta, &kCamembert, &kDistilbert};

std::string Family::PrefixOf(std::size_t index) const { return std::string(layer) + std::to_string(index) + "."; }

std::string Family::TensorOf(std::string_view step, std::size_t part) const {
  const auto found = std::find_if(steps.begin(), steps.end(), [&](const Weights& one) { return one.step == step; });
  return found->tensors[part];
}

std::span<const Family* const> Families() { return kFamilies; }

const Family* FindFamily(std::string_view model_type) {
  for (const Family* family : kFamilies) {
    if (family->name == model_type) return family;
  }
  return nullptr;
}

const Family* FindFamilyOfClass(std::string_view name) {
  for (const Family* family : kFamilies) {
    if (!name.starts_with(family->class_prefix)) continue;
    const std::string_view rest = name.substr(family->class_prefix.size());
    if (rest == "Model" || rest.starts_with("For")) return family;
  }
  return nullptr;
}

std::string FamilyNames() {
  std::string names;
  for (const Family* family : kFamilies) {
    names.append(names.empty() ? "\"" : " or \"").append(family->name).append("\"");
  }
  return names;
}

}  // namespace thimble::convert
