// Builds a document from the parser's events, and ends it at the first thing that is not allowed.

#include "json/parse.h"

#include <cstddef>
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
  nlohmann::json Take() { return std::move(root_); }

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override { return Add(value); }
  bool number_float(number_float_t value, const string_t&) override { return Add(value); }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // Not in JSON text.

  bool start_object(std::size_t) override { return Open(nlohmann::json::object()); }
  bool start_array(std::size_t) override { return Open(nlohmann::json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& value) override {
    auto [member, is_new] = open_.back()->emplace(std::move(value), nullptr);
    if (!is_new) return Fail("the key \"", member.key().substr(0, kShownKeyBytes), "\" appears twice in an object");
    member_ = &*member;
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
  nlohmann::json* Place(nlohmann::json value) {
    if (values_++ == limits_.values) {
      Fail("more than ", limits_.values, " values");
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) return &open_.back()->emplace_back(std::move(value));
    *member_ = std::move(value);
    return member_;
  }
  bool Add(nlohmann::json value) { return Place(std::move(value)) != nullptr; }
  bool Open(nlohmann::json value) {
    if (open_.size() == limits_.depth) return Fail("nested deeper than ", limits_.depth, " levels");
    open_.push_back(Place(std::move(value)));
    return open_.back() != nullptr;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  const std::string_view what_;
  const ParseLimits limits_;
  std::size_t values_ = 0;
  Status status_;
  nlohmann::json root_;
  std::vector<nlohmann::json*> open_;  // The objects and arrays around the next value, which stay where they are.
  nlohmann::json* member_ = nullptr;   // Where the next value of an object goes.
};

}  // namespace

Result<nlohmann::json> Parse(std::string_view text, std::string_view what, const ParseLimits& limits) {
  Builder builder(what, limits);
  const bool parsed = nlohmann::json::sax_parse(text, &builder);
  if (!builder.status().ok()) return builder.status();
  if (!parsed) return Error(Code::kCorrupt, what, ": is not JSON");
  return builder.Take();
}

}  // namespace thimble::json
