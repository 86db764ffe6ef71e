// Names from hostile files, made fit for messages.

#ifndef THIMBLE_CONVERT_PRINTABLE_H_
#define THIMBLE_CONVERT_PRINTABLE_H_

#include <algorithm>
#include <string>
#include <string_view>

namespace thimble::convert {

inline bool IsPrintable(char c) { return c >= ' ' && c <= '~'; }

// `name` with "?" for each byte that is not printable ASCII, cut after 100 bytes.
inline std::string Printable(std::string_view name) {
  constexpr std::size_t kMaxBytes = 100;
  std::string text(name.substr(0, kMaxBytes));
  std::replace_if(text.begin(), text.end(), [](char c) { return !IsPrintable(c); }, '?');
  if (name.size() > kMaxBytes) text += "...";
  return text;
}

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_PRINTABLE_H_
