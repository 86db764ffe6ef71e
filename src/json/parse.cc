// Builds a document from events, and ends it at the first thing that is not allowed.

#include "json/parse.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "json/events.h"

namespace thimble::json {
namespace {

constexpr std::size_t kShownKeyBytes = 64;

class Builder : public Events {
 public:
  Builder(std::string_view what, const ParseLimits& limits) : what_(what), limits_(limits) {}

  const Status& status() const { return status_; }
  Value Take() { return std::move(root_); }

  bool Scalar(Value value) override { return Place(std::move(value)) != nullptr; }
  bool BeginArray() override { return Open(Array()); }
  bool BeginObject() override { return Open(Object()); }
  bool EndArray() override {
    open_.pop_back();
    return true;
  }
  bool EndObject() override {
    const std::string* twice = open_.back()->object().Sort();
    open_.pop_back();
    if (twice == nullptr) return true;
    return Fail("the key \"", twice->substr(0, kShownKeyBytes), "\" appears twice in an object");
  }
  bool Key(std::string key) override {
    member_ = &open_.back()->object().Append(std::move(key));
    return true;
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
  const std::optional<std::size_t> bad_byte = Read(text, builder);
  if (bad_byte) return Error(Code::kCorrupt, what, ": is not JSON: unexpected byte ", *bad_byte);
  if (!builder.status().ok()) return builder.status();
  return builder.Take();
}

}  // namespace thimble::json
