// JSON text of strings and numbers.

#ifndef THIMBLE_BASE_JSON_TEXT_H_
#define THIMBLE_BASE_JSON_TEXT_H_

#include <string>
#include <string_view>

namespace thimble::inline v0_1 {

// Appends `text` with quotes and escapes. Invalid UTF-8 becomes U+FFFD.
void AppendJsonString(std::string_view text, std::string& out);

// Appends the shortest digits that read back as `value`, with a point or an exponent; null if it is not finite.
void AppendJsonNumber(double value, std::string& out);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_JSON_TEXT_H_
