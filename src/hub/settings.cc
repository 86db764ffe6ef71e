// Reads and checks the hub's environment variables, which are those of Hugging Face's own tools.

#include "hub/settings.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "base/environment.h"
#include "base/error.h"
#include "json/json_file.h"

namespace thimble::hub {

using base::Environment;

namespace {

constexpr long kMaxTimeoutSeconds = 3600;

// Whether the text is printable ASCII without blanks, so that it can stand in a URL or a header.
bool IsOneWord(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7F; });
}

// As huggingface_hub reads it.
bool IsOn(std::string value) {
  for (char& letter : value) letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

bool IsNamePart(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// A path with ~ and $NAME or ${NAME} in it replaced, as by Python's expanduser and expandvars: a variable that is not
// set stays as it is written.
std::string Expanded(std::string path) {
  if (path == "~" || path.starts_with("~/")) {
    if (const std::string home = Environment("HOME"); !home.empty()) path.replace(0, 1, home);
  }
  for (std::size_t at = 0; (at = path.find('$', at)) != std::string::npos;) {
    const bool braced = path.compare(at + 1, 1, "{") == 0;
    std::size_t begin = at + (braced ? 2 : 1), end = begin;
    while (end < path.size() && (braced ? path[end] != '}' : IsNamePart(path[end]))) ++end;
    const char* value = std::getenv(path.substr(begin, end - begin).c_str());
    if (value == nullptr || (braced && end == path.size())) {
      at = end;
      continue;
    }
    path.replace(at, end + (braced ? 1 : 0) - at, value);
    at += std::string_view(value).size();
  }
  return path;
}

std::string HuggingFaceHome() {
  if (const std::string home = Environment("HF_HOME"); !home.empty()) return Expanded(home);
  if (const std::string cache = Environment("XDG_CACHE_HOME"); !cache.empty()) return Expanded(cache + "/huggingface");
  const std::string home = Environment("HOME");
  return home.empty() ? "" : home + "/.cache/huggingface";
}

// `file` in that folder; empty where there is none.
std::string InHome(const char* file) {
  const std::string home = HuggingFaceHome();
  return home.empty() ? "" : home + "/" + file;
}

// Without the blanks and line breaks of a file.
std::string Cleaned(std::string token) {
  std::erase_if(token, [](char c) { return c == '\r' || c == '\n'; });
  const auto blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  token.erase(token.begin(), std::find_if_not(token.begin(), token.end(), blank));
  while (!token.empty() && blank(token.back())) token.pop_back();
  return token;
}

Result<std::string> ReadToken() {
  constexpr std::size_t kMaxTokenBytes = 64 << 10;
  if (IsOn(Environment("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) return std::string();
  for (const char* variable : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    const std::string token = Cleaned(Environment(variable));
    if (!IsOneWord(token)) return Error(Code::kInvalidArgument, variable, ": expected one word of ASCII");
    if (!token.empty()) return token;
  }
  const std::string path = TokenPath();
  if (path.empty()) return std::string();
  Result<std::string> text = json::ReadFile(path, kMaxTokenBytes);
  if (!text.ok() && text.status().code() == Code::kNotFound) return std::string();
  THIMBLE_RETURN_IF_ERROR(text.status());
  std::string token = Cleaned(*std::move(text));
  if (!IsOneWord(token)) return Error(Code::kInvalidArgument, path, ": expected a token, one word of ASCII");
  return token;
}

}  // namespace

bool IsOffline() {
  const std::string offline = Environment("HF_HUB_OFFLINE");
  return IsOn(offline.empty() ? Environment("TRANSFORMERS_OFFLINE") : offline);
}

std::string HubCache() {
  for (const char* variable : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string cache = Environment(variable); !cache.empty()) return Expanded(cache);
  }
  return InHome("hub");
}

std::string TokenPath() {
  const std::string path = Environment("HF_TOKEN_PATH");
  return path.empty() ? InHome("token") : Expanded(path);
}

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
  THIMBLE_ASSIGN_OR_RETURN(settings.token, ReadToken());
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
