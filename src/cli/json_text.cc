// Takes the text out of one line of JSON without building the rest.

#include <optional>
#include <utility>

#include "base/error.h"
#include "cli/input.h"
#include "json/events.h"

namespace thimble::cli {
namespace {

// Sees the values of a document go by and keeps the one that is looked for.
class TextFinder : public json::Events {
 public:
  explicit TextFinder(std::string_view field) : field_(field) {}

  bool Scalar(json::Value value) override {
    if (!value.is_string()) return Other(value.Kind());
    if (!wanted()) return true;
    wanted_key_ = false;
    text_ = std::move(value.string());
    return true;
  }
  bool BeginObject() override {
    if (depth_ > 0 && !Other("an object")) return false;
    if (depth_ == 0) top_is_object_ = true;
    ++depth_;
    return true;
  }
  bool EndObject() override { return --depth_, true; }
  bool BeginArray() override {
    if (!Other("an array")) return false;
    ++depth_;
    return true;
  }
  bool EndArray() override { return --depth_, true; }
  bool Key(std::string key) override {
    wanted_key_ = depth_ == 1 && key == field_;
    return true;
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
    if (depth_ == 0) status_ = Error(Code::kCorrupt, "expected a string or an object, found ", kind);
    if (depth_ == 1) status_ = Error(Code::kCorrupt, "field \"", field_, "\": expected a string, found ", kind);
    return false;
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
  const std::optional<std::size_t> bad_byte = json::Read(line, finder);
  if (bad_byte) return Error(Code::kCorrupt, "not valid JSON at byte ", *bad_byte);
  return finder.Take();
}

}  // namespace thimble::cli
