// Takes the text out of one line of JSON without building the rest.

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "cli/input.h"

namespace thimble::cli {
namespace {

// Sees the values of a document go by and keeps the one that is looked for.
class TextFinder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit TextFinder(std::string_view field) : field_(field) {}

  bool null() override { return Other("null"); }
  bool boolean(bool) override { return Other("a boolean"); }
  bool number_integer(number_integer_t) override { return Other("a number"); }
  bool number_unsigned(number_unsigned_t) override { return Other("a number"); }
  bool number_float(number_float_t, const string_t&) override { return Other("a number"); }
  bool binary(binary_t&) override { return Other("binary"); }
  bool string(string_t& value) override {
    if (!wanted()) return true;
    wanted_key_ = false;
    text_ = std::move(value);
    return true;
  }
  bool start_object(std::size_t) override {
    if (depth_ > 0 && !Other("an object")) return false;
    if (depth_ == 0) top_is_object_ = true;
    ++depth_;
    return true;
  }
  bool end_object() override { return --depth_, true; }
  bool start_array(std::size_t) override {
    if (!Other("an array")) return false;
    ++depth_;
    return true;
  }
  bool end_array() override { return --depth_, true; }
  bool key(string_t& name) override {
    wanted_key_ = depth_ == 1 && name == field_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    Set(Error(Code::kCorrupt, "not valid JSON at byte ", position));
    return false;
  }

  Result<std::string> Take() {
    if (!status_.ok()) return status_;
    if (!text_) return Error(Code::kCorrupt, "the object has no field \"", field_, "\"");
    return *std::move(text_);
  }

 private:
  // Whether the value that begins now is the text.
  bool wanted() const { return depth_ == 0 || (depth_ == 1 && top_is_object_ && wanted_key_); }
  bool Other(std::string_view kind) {
    if (!wanted()) return true;
    if (depth_ == 0) Set(Error(Code::kCorrupt, "expected a string or an object, found ", kind));
    if (depth_ == 1) Set(Error(Code::kCorrupt, "field \"", field_, "\": expected a string, found ", kind));
    return false;
  }
  void Set(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  std::string_view field_;
  std::size_t depth_ = 0;
  bool top_is_object_ = false;
  bool wanted_key_ = false;
  std::optional<std::string> text_;
  Status status_;
};

}  // namespace

Result<std::string> TextOfJson(std::string_view line, std::string_view field) {
  TextFinder finder(field);
  nlohmann::json::sax_parse(line.begin(), line.end(), &finder);
  return finder.Take();
}

}  // namespace thimble::cli
