// A JSON text as a sequence of events, for readers that keep little of it.

#ifndef THIMBLE_JSON_EVENTS_H_
#define THIMBLE_JSON_EVENTS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "json/value.h"

namespace thimble::json {

// What happens in the order of the text. Each function returns whether to read on.
class Events {
 public:
  virtual bool Scalar(Value value) = 0;  // null, true, false, a number or a string.
  virtual bool BeginArray() = 0;
  virtual bool BeginObject() = 0;
  virtual bool Key(std::string key) = 0;  // Of the member that comes next.
  virtual bool EndArray() = 0;
  virtual bool EndObject() = 0;

 protected:
  ~Events() = default;
};

// Reads to the end, or until a function of `events` returns false. The place of the byte at which `text` is no JSON,
// if there is one; it counts from 1. Takes memory for one string and a bit for each level.
std::optional<std::size_t> Read(std::string_view text, Events& events);

}  // namespace thimble::json

#endif  // THIMBLE_JSON_EVENTS_H_
