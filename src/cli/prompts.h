// The prompts that --prompts puts before queries and before what they are compared with.

#ifndef THIMBLE_CLI_PROMPTS_H_
#define THIMBLE_CLI_PROMPTS_H_

#include <span>
#include <string>
#include <string_view>

#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::cli {

// Names of prompts; empty where there is none.
struct PromptPair {
  std::string query;
  std::string line;
};

// Those of what has prompts of these names. kInvalidArgument when it has neither; messages call it `what`.
Result<PromptPair> FindPrompts(std::span<const std::string> names, std::string_view what);
Result<PromptPair> FindPrompts(const ModelInfo& model);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_PROMPTS_H_
