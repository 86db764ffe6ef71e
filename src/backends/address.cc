// Reads addresses and keys, neither of which is trusted.

#include "backends/address.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include "base/error.h"
#include "base/sha256.h"
#include "json/json_file.h"

namespace thimble::backends {
namespace {

constexpr std::size_t kMaxKeyBytes = 16 << 10;
constexpr std::size_t kMaxUrlBytes = 2048;
constexpr int kHttpPort = 80, kHttpsPort = 443;

std::string_view Environment(const std::string& name) {
  const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
  return value == nullptr ? std::string_view() : value;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool IsOneWord(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7F; });
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& letter : lower) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return lower;
}

bool IsHost(std::string_view host) {
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  const std::string_view inside = bracketed ? host.substr(1, host.size() - 2) : host;
  const auto fits = [&](char c) {
    const bool letter = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
    return letter || (bracketed ? c == ':' : c == '_');
  };
  return !inside.empty() && std::all_of(inside.begin(), inside.end(), fits);
}

// What may be shown of a text that is no URL.
std::string Shown(std::string_view text) {
  const std::size_t user = text.find('@');
  return user == std::string_view::npos ? std::string(text.substr(0, 200))
                                        : "***" + std::string(text.substr(user, 200));
}

}  // namespace

Result<BaseUrl> BaseUrlOf(const Dialect& dialect, std::string_view given) {
  const std::string_view variable = Trimmed(Environment(dialect.base_url_variable));
  const std::string where =
      dialect.name + ": " + (given.empty() && !variable.empty() ? dialect.base_url_variable : "base URL");
  std::string text(!given.empty() ? given : !variable.empty() ? variable : std::string_view(dialect.base_url));
  const auto refuse = [&](std::string_view expected) {
    return Error(Code::kInvalidArgument, where, ": expected ", expected, ", found ",
                 text.empty() ? std::string("none") : "\"" + Shown(text) + "\"");
  };
  constexpr std::string_view kForm = "http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]";
  if (text.empty() || text.size() > kMaxUrlBytes || !IsOneWord(text)) return refuse(kForm);
  const bool bare = !dialect.bare_scheme.empty() && text.find("://") == std::string::npos;
  const std::string url = bare ? dialect.bare_scheme + "://" + text : text;
  if (url.find_first_of("@?#\"\\") != std::string::npos) return refuse("no user, no query and no fragment");

  const std::size_t host_begin = url.find("://") + 3;
  if (host_begin == std::string::npos + 3) return refuse(kForm);
  const std::string scheme = LowerCase(url.substr(0, host_begin - 3));
  if (scheme != "http" && scheme != "https") return refuse(kForm);
  const std::size_t host_end = std::min(url.find('/', host_begin), url.size());
  std::string host = LowerCase(url.substr(host_begin, host_end - host_begin));
  const int own_port = scheme == "http" ? kHttpPort : kHttpsPort;
  int port = bare ? dialect.bare_port : own_port;
  if (const std::size_t colon = host.rfind(':'); colon != std::string::npos && !host.ends_with(']')) {
    const char *begin = host.data() + colon + 1, *end = host.data() + host.size();
    auto [stop, error] = std::from_chars(begin, end, port);
    if (error != std::errc() || stop != end || port < 1 || port > 65535) return refuse("a port from 1 to 65535");
    host.resize(colon);
  }
  if (!IsHost(host)) return refuse(kForm);
  BaseUrl base;
  base.origin = scheme + "://" + host + (port == own_port ? "" : ":" + std::to_string(port));
  std::string path = url.substr(host_end);
  while (path.ends_with('/')) path.pop_back();
  base.text = base.origin + path;
  return base;
}

Result<std::string> KeyOf(const Dialect& dialect) {
  for (const std::string& variable : dialect.key_variables) {
    std::string key(Trimmed(Environment(variable)));
    const std::string path(Environment(variable + "_FILE"));
    if (key.empty() && !path.empty()) {
      Result<std::string> text = json::ReadFile(path, kMaxKeyBytes);
      if (!text.ok()) return Error(Code::kIo, dialect.name, ": ", variable, "_FILE: ", text.status().message());
      key = Trimmed(*text);
    }
    if (key.empty()) continue;
    if (!IsOneWord(key)) {
      return Error(Code::kInvalidArgument, dialect.name, ": the key in ", variable,
                   " contains spaces, line breaks or non-ASCII characters");
    }
    return key;
  }
  return std::string();
}

std::string HowToSetKey(const Dialect& dialect) {
  std::string text;
  for (const std::string& variable : dialect.key_variables) text += (text.empty() ? "" : " or ") + variable;
  return text + ", or " + dialect.key_variables.front() + "_FILE with the path of a file that has it";
}

std::string FingerprintOf(std::string_view dialect, std::string_view origin, std::string_view model,
                          std::size_t dimensions) {
  constexpr std::size_t kDigits = 32;
  base::Sha256 hash;
  for (const std::string_view part : {std::string_view("thimble space 1"), dialect, origin, model}) {
    hash.Update(part);
    hash.Update("\n");
  }
  hash.Update(std::to_string(dimensions) + "\n");
  return hash.Hex().substr(0, kDigits);
}

std::string NamedFingerprintOf(std::string_view name, std::size_t dimensions) {
  return FingerprintOf("space", "", name, dimensions);
}

}  // namespace thimble::backends
