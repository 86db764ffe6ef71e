// Reads and checks the hub's environment variables, which are those of Hugging Face's own tools.

#include "hub/settings.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace thimble::hub {
namespace {

constexpr long kMaxTimeoutSeconds = 3600;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Whether the text is printable ASCII without blanks, so that it can stand in a URL or a header.
bool IsOneWord(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7F; });
}

// As huggingface_hub reads it.
bool IsOn(std::string value) {
  for (char& letter : value) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

}  // namespace

Result<Settings> ReadSettings() {
  Settings settings;
  if (std::string endpoint = Environment("HF_ENDPOINT"); !endpoint.empty()) {
    while (endpoint.ends_with('/')) endpoint.pop_back();
    const bool known = endpoint.starts_with("https://") || endpoint.starts_with("http://");
    if (!known || !IsOneWord(endpoint) || endpoint.find_first_of("?#@") != std::string::npos) {
      return Error(Code::kInvalidArgument, "HF_ENDPOINT: expected an address such as https://huggingface.co");
    }
    settings.endpoint = endpoint;
  }
  settings.token = Environment("HF_TOKEN");
  while (!settings.token.empty() && std::isspace(static_cast<unsigned char>(settings.token.back())) != 0) {
    settings.token.pop_back();  // As read from a file.
  }
  if (!IsOneWord(settings.token)) return Error(Code::kInvalidArgument, "HF_TOKEN: expected one word of ASCII");
  settings.offline = IsOn(Environment("HF_HUB_OFFLINE"));
  if (const std::string text = Environment("HF_HUB_DOWNLOAD_TIMEOUT"); !text.empty()) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), settings.timeout_seconds);
    if (error != std::errc() || end != text.data() + text.size() || settings.timeout_seconds < 1 ||
        settings.timeout_seconds > kMaxTimeoutSeconds) {
      return Error(Code::kInvalidArgument, "HF_HUB_DOWNLOAD_TIMEOUT: expected seconds from 1 to ", kMaxTimeoutSeconds,
                   ", found \"", text, "\"");
    }
  }
  return settings;
}

}  // namespace thimble::hub
