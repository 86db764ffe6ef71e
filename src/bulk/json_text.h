// Takes the text and the id out of one line of JSON without building the rest.

#ifndef THIMBLE_BULK_JSON_TEXT_H_
#define THIMBLE_BULK_JSON_TEXT_H_

#include <string>
#include <string_view>

#include "thimble/status.h"

namespace thimble::bulk {

// The text in one line of JSON: a string, or the field `field` of an object. kCorrupt with a message that does not name
// the line.
Result<std::string> TextOfJson(std::string_view line, std::string_view field);

struct TextAndId {
  std::string text;
  std::string id;  // JSON.
};
// The same of an object, with its field `id_field`, which is a string or a number.
Result<TextAndId> TextAndIdOfJson(std::string_view line, std::string_view field, std::string_view id_field);

}  // namespace thimble::bulk

#endif  // THIMBLE_BULK_JSON_TEXT_H_
