// Letters of ASCII, whatever the locale is.

#ifndef THIMBLE_BASE_ASCII_H_
#define THIMBLE_BASE_ASCII_H_

namespace thimble::base {

// The small letter of a capital one; any other byte as it is.
constexpr char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace thimble::base

#endif  // THIMBLE_BASE_ASCII_H_
