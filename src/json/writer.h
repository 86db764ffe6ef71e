// Writes JSON in one line at the end of a string; commas and colons come by themselves.
//
//   Writer(body).Open('{').Member("object", "list").Key("data").Open('[').Add(1).Add(2).Close(']').Close('}');

#ifndef THIMBLE_JSON_WRITER_H_
#define THIMBLE_JSON_WRITER_H_

#include <span>
#include <string>
#include <string_view>

#include "json/value.h"

namespace thimble::json {

class Writer {
 public:
  // What `out` holds may end in the middle of a JSON text, or in a line end.
  explicit Writer(std::string& out) : out_(out) {}

  // [ or {, or the quotes around a text without escapes that the caller appends.
  Writer& Open(char bracket);
  Writer& Close(char bracket);
  Writer& Key(std::string_view key);
  Writer& Add(const Value& value);  // As Value::Text().
  Writer& Text(std::string_view text);
  // A finite number, with the fewest digits that read back as the same float.
  Writer& Float(float value);
  // An array of numbers, each finite, with the fewest digits that read back as the same float.
  Writer& Floats(std::span<const float> values);
  Writer& Member(std::string_view key, const Value& value) { return Key(key).Add(value); }

 private:
  // A comma unless what follows is the first of its array or object, the value of a key, or begins a line.
  void Separate();

  std::string& out_;
};

}  // namespace thimble::json

#endif  // THIMBLE_JSON_WRITER_H_
