// Names of options in messages.

#include "base/option_names.h"

#include <algorithm>
#include <iterator>

namespace thimble::base {
namespace {

// Options that have other words, not only another spelling, in C or in Node.js.
constexpr struct {
  std::string_view name, c, node;
} kOthers[] = {
    {"cache", "cache", "cache.path"},
    {"cache_size", "cache_bytes", "cache.maxBytes"},
    {"embedder.max_memory", "call_max_memory", "maxMemory"},
    {"max_wait", "max_wait", "maxWaitMs"},
    {"unload_after", "unload_after", "unloadAfterMs"},
};

std::string Flag(std::string_view name) {
  std::string flag = "--" + std::string(name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string CamelCase(std::string_view name) {
  std::string result;
  bool upper = false;
  for (const char letter : name) {
    if (letter != '_') result += upper ? static_cast<char>(letter - 'a' + 'A') : letter;
    upper = letter == '_';
  }
  return result;
}

std::string Spelled(std::string_view name, OptionNames names) {
  if (names == OptionNames::kFlags) return Flag(name);
  const auto* other = std::ranges::find(kOthers, name, [](const auto& entry) { return entry.name; });
  const bool found = other != std::end(kOthers);
  if (names == OptionNames::kC) return "`" + std::string(found ? other->c : name) + "`";
  return found ? std::string(other->node) : CamelCase(name);
}

}  // namespace

std::string WithOptionNames(std::string_view message, OptionNames names) {
  std::string result;
  while (!message.empty()) {
    const std::size_t open = std::min(message.find('`'), message.size());
    const std::size_t close = message.find('`', open + 1);
    const std::string_view name = message.substr(std::min(open + 1, message.size()), close - open - 1);
    const bool is_option = close != std::string_view::npos && !name.empty() &&
                           name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_.") == std::string_view::npos;
    result += message.substr(0, open);
    if (is_option) {
      result += Spelled(name, names);
    } else if (open < message.size()) {
      result += '`';
    }
    message.remove_prefix(std::min(is_option ? close + 1 : open + 1, message.size()));
  }
  return result;
}

}  // namespace thimble::base
