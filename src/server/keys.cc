// Reading and comparing keys.

#include "server/keys.h"

#include <cstdlib>
#include <fstream>

#include "base/base64.h"
#include "base/error.h"
#include "base/sha256.h"

namespace thimble::server {
namespace {

std::string Hash(const std::string& key) {
  base::Sha256 hash;
  hash.Update(key);
  return hash.Hex();
}

std::string Trim(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// What follows `scheme`, whose case does not matter; empty where the header has another.
std::string Credentials(const std::string& header, const std::string& scheme) {
  if (header.size() <= scheme.size() || header[scheme.size()] != ' ') return {};
  for (std::size_t i = 0; i < scheme.size(); ++i) {
    if ((header[i] | 0x20) != scheme[i]) return {};
  }
  return Trim(header.substr(scheme.size()));
}

}  // namespace

Status Keys::Add(const std::string& key, const std::string& where) {
  for (char c : key) {
    if (c <= ' ' || c > '~') return Error(Code::kInvalidArgument, where, ": expected keys of printable ASCII");
  }
  hashes_.push_back(Hash(key));
  return Status();
}

Result<Keys> Keys::Load(const std::string& file) {
  Keys keys;
  if (!file.empty()) {
    std::ifstream in(file);
    if (!in) return Error(Code::kNotFound, "API keys: cannot read ", file);
    for (std::string line; std::getline(in, line);) {
      line = Trim(line);
      if (!line.empty() && line[0] != '#') THIMBLE_RETURN_IF_ERROR(keys.Add(line, file));
    }
    if (keys.empty()) return Error(Code::kInvalidArgument, "API keys: ", file, " contains no keys");
  }
  if (const char* list = std::getenv("THIMBLE_API_KEYS")) {
    const std::string text = std::string(list) + ",";
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = text.find(',', begin);
      const std::string key = Trim(text.substr(begin, end - begin));
      if (!key.empty()) THIMBLE_RETURN_IF_ERROR(keys.Add(key, "THIMBLE_API_KEYS"));
      begin = end + 1;
    }
  }
  return keys;
}

bool Keys::Accept(const HttpHead& head) const {
  if (hashes_.empty()) return true;
  std::string key = Credentials(head.authorization, "bearer");
  if (key.empty()) {
    const std::string basic = base::FromBase64(Credentials(head.authorization, "basic")).value_or("");
    const std::size_t colon = basic.find(':');
    if (colon != std::string::npos) key = basic.substr(colon + 1);
  }
  if (key.empty()) key = head.api_key;
  const std::string hash = Hash(key);
  bool found = false;
  for (const std::string& known : hashes_) {
    unsigned difference = 0;
    for (std::size_t i = 0; i < base::Sha256::kHexDigits; ++i) difference |= static_cast<unsigned>(known[i] ^ hash[i]);
    found |= difference == 0;
  }
  return found;
}

}  // namespace thimble::server
