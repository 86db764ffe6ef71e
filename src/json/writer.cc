// Text of values. Escapes, replacement of invalid UTF-8 and digits of fractions are nlohmann's.

#include "json/writer.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

namespace thimble::json {
namespace {

// Of scalars only: trees of nlohmann::json allocate in their destructor.
template <typename Scalar>
void Dump(Scalar scalar, std::string& out) {
  out += nlohmann::json(std::move(scalar)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string Value::Text() const {
  std::string text;
  Writer(text).Add(*this);
  return text;
}

void Writer::Separate() {
  const char last = out_.empty() ? '[' : out_.back();
  if (last != '[' && last != '{' && last != ':' && last != ',' && last != '\n') out_ += ',';
}

Writer& Writer::Open(char bracket) {
  Separate();
  out_ += bracket;
  return *this;
}

Writer& Writer::Close(char bracket) {
  out_ += bracket;
  return *this;
}

Writer& Writer::Key(std::string_view key) {
  Text(key);
  out_ += ':';
  return *this;
}

Writer& Writer::Text(std::string_view text) {
  Separate();
  Dump(std::string(text), out_);
  return *this;
}

Writer& Writer::Add(const Value& value) {
  switch (value.type_) {
    case Value::Type::kArray:
      Open('[');
      for (const Value& element : *value.array_) Add(element);
      return Close(']');
    case Value::Type::kObject:
      Open('{');
      for (const auto& [key, member] : *value.object_) Member(key, member);
      return Close('}');
    case Value::Type::kString:
      return Text(*value.string_);
    default:
      break;
  }
  Separate();
  if (value.type_ == Value::Type::kNull) out_ += "null";
  if (value.type_ == Value::Type::kBoolean) out_ += value.boolean_ ? "true" : "false";
  if (value.type_ == Value::Type::kUnsigned) out_ += std::to_string(value.unsigned_);
  if (value.type_ == Value::Type::kNegative) out_ += std::to_string(static_cast<std::int64_t>(value.unsigned_));
  if (value.type_ == Value::Type::kFraction) Dump(value.fraction_, out_);
  return *this;
}

}  // namespace thimble::json
