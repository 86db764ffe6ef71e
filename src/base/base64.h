// Base64 with the standard alphabet and padding.

#ifndef THIMBLE_BASE_BASE64_H_
#define THIMBLE_BASE_BASE64_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace thimble::base {

void AppendBase64(std::span<const std::byte> bytes, std::string& text);

// nullopt for anything but whole groups of four letters, the last of which may be padded.
std::optional<std::string> FromBase64(std::string_view text);

}  // namespace thimble::base

#endif  // THIMBLE_BASE_BASE64_H_
