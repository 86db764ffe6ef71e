// The body of a request: JSON within limits, and its fields with their types.

#ifndef THIMBLE_SERVER_FIELDS_H_
#define THIMBLE_SERVER_FIELDS_H_

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"
#include "server/problem.h"

namespace thimble::server {

using Json = json::Value;

// Bytes that parsing a body takes at most, found without parsing it.
std::size_t MemoryOf(std::string_view body);

// The object that a body holds; a problem where it is no JSON, no object, nested too deep, or repeats a key.
std::optional<Problem> ParseBody(std::string_view body, Json& object);

// Reads fields of an object, and keeps the first problem. A field that is null counts as absent.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  const Json* Find(const char* name) const;
  std::optional<std::string> String(const char* name);
  std::optional<bool> Bool(const char* name);
  // A positive integer.
  std::optional<std::size_t> Count(const char* name);
  // A string among `allowed`, in their case; the field's case does not matter.
  std::optional<std::string> Choice(const char* name, std::initializer_list<const char*> allowed);
  // A string, or an array of strings. `single` is set where it is one string.
  std::vector<std::string> Texts(const char* name, bool* single = nullptr);

  // Says that a field cannot be followed.
  void Refuse(std::string_view name, std::string_view why, Fault fault = Fault::kBadRequest);
  bool ok() const { return !problem_; }
  const std::optional<Problem>& problem() const { return problem_; }

 private:
  void Expect(std::string_view name, std::string_view expected, const Json& found);

  const Json& object_;
  std::optional<Problem> problem_;
};

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_FIELDS_H_
