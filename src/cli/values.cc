// Named values as lines of text or as one JSON object.

#include "cli/values.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "cli/output.h"

namespace thimble::cli {

Status PrintValues(const json::Object& values, bool as_json, std::span<const InputFile> inputs) {
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open("", inputs));
  if (as_json) {
    THIMBLE_RETURN_IF_ERROR(output.Write(json::Value(values).Text() + "\n"));
    return output.Finish();
  }
  std::size_t width = 0;
  for (const auto& [key, value] : values) width = std::max(width, key.size() + 2);
  for (const auto& [key, value] : values) {
    std::string text = value.Text();
    if (value.is_string()) text = text.substr(1, text.size() - 2);
    THIMBLE_RETURN_IF_ERROR(output.Write(key + std::string(width - key.size(), ' ') + text + "\n"));
  }
  return output.Finish();
}

}  // namespace thimble::cli
