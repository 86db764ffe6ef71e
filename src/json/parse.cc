// Builds a document from the parser's events, and ends it at the first thing that is not allowed.

#include "json/parse.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace thimble::json {
namespace {

constexpr std::size_t kShownKeyBytes = 64;

class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Builder(std::string_view what, const ParseLimits& limits) : what_(what), limits_(limits) {}

  const Status& status() const { return status_; }
  Value Take() { return std::move(root_); }

  bool null() override { return Place(nullptr) != nullptr; }
  bool boolean(bool value) override { return Place(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return Place(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return Place(value) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override { return Place(value) != nullptr; }
  bool string(string_t& value) override { return Place(std::move(value)) != nullptr; }
  bool binary(binary_t&) override { return false; }  // Not in JSON text.

  bool start_object(std::size_t) override { return Open(Object()); }
  bool start_array(std::size_t) override { return Open(Array()); }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool end_object() override {
    const std::string* twice = open_.back()->object().Sort();
    open_.pop_back();
    if (twice == nullptr) return true;
    return Fail("the key \"", twice->substr(0, kShownKeyBytes), "\" appears twice in an object");
  }

  bool key(string_t& value) override {
    member_ = &open_.back()->object().Append(std::move(value));
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return Fail("is not JSON: unexpected byte ", position);
  }

 private:
  template <typename... Parts>
  bool Fail(const Parts&... parts) {
    status_ = Error(Code::kCorrupt, what_, ": ", parts...);
    return false;
  }

  // Null when there are too many values.
  Value* Place(Value value) {
    if (values_++ == limits_.values) {
      Fail("more than ", limits_.values, " values");
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) return &open_.back()->array().emplace_back(std::move(value));
    *member_ = std::move(value);
    return member_;
  }
  bool Open(Value value) {
    if (open_.size() == limits_.depth) return Fail("nested deeper than ", limits_.depth, " levels");
    open_.push_back(Place(std::move(value)));
    return open_.back() != nullptr;
  }

  const std::string_view what_;
  const ParseLimits limits_;
  std::size_t values_ = 0;
  Status status_;
  Value root_;
  std::vector<Value*> open_;  // The objects and arrays around the next value, which stay where they are.
  Value* member_ = nullptr;   // Where the next value of an object goes.
};

}  // namespace

Result<Value> Parse(std::string_view text, std::string_view what, const ParseLimits& limits) {
  Builder builder(what, limits);
  const bool parsed = nlohmann::json::sax_parse(text, &builder);
  if (!builder.status().ok()) return builder.status();
  if (!parsed) return Error(Code::kCorrupt, what, ": is not JSON");
  return builder.Take();
}

}  // namespace thimble::json
