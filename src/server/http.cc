// Escapes of URLs, and small letters.

#include "server/http.h"

#include <cctype>
#include <string_view>

namespace thimble::server {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string Lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string PercentDecode(const std::string& text, bool form) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 && HexDigit(text[i + 2]) >= 0) {
      out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      out += form && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::string QueryField(const std::string& query, const std::string& name) {
  for (std::size_t begin = 0; begin < query.size();) {
    std::size_t end = query.find('&', begin);
    if (end == std::string::npos) end = query.size();
    const std::size_t equals = query.find('=', begin);
    if (equals < end && std::string_view(query).substr(begin, equals - begin) == name) {
      return PercentDecode(query.substr(equals + 1, end - equals - 1), true);
    }
    begin = end + 1;
  }
  return {};
}

}  // namespace thimble::server
