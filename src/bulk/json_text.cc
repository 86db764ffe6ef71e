// Takes the text and the id out of one line of JSON without building the rest.

#include "bulk/json_text.h"

#include <optional>
#include <utility>

#include "base/error.h"
#include "json/events.h"
#include "json/value.h"

namespace thimble::bulk {
namespace {

// Sees the values of a document go by and keeps those that are looked for.
class TextFinder : public json::Events {
 public:
  // An empty `id_field` looks for none.
  TextFinder(std::string_view field, std::string_view id_field) : field_(field), id_field_(id_field) {}

  bool Scalar(json::Value value) override {
    const bool is_text = wanted(), is_id = wanted_id_;
    wanted_key_ = wanted_id_ = false;
    if (is_id) {
      if (!value.is_string() && !value.is_number()) return OtherId(value.Kind());
      id_ = value.Text();
    }
    if (!is_text) return true;
    if (!value.is_string()) return Other(value.Kind());
    text_ = std::move(value.string());
    return true;
  }
  bool BeginObject() override {
    if (depth_ > 0 && !Nested("an object")) return false;
    if (depth_ == 0) top_is_object_ = true;
    ++depth_;
    return true;
  }
  bool EndObject() override { return --depth_, true; }
  bool BeginArray() override {
    if (!Nested("an array")) return false;
    ++depth_;
    return true;
  }
  bool EndArray() override { return --depth_, true; }
  bool Key(std::string key) override {
    wanted_key_ = depth_ == 1 && key == field_;
    wanted_id_ = depth_ == 1 && !id_field_.empty() && key == id_field_;
    return true;
  }

  Result<TextAndId> Take() {
    if (!status_.ok()) return status_;
    if (!text_) return Error(Code::kCorrupt, "the object has no field \"", field_, "\"");
    if (!id_field_.empty() && !id_) {
      if (!top_is_object_) return Error(Code::kCorrupt, "expected an object with an id, found a string");
      return Error(Code::kCorrupt, "the object has no field \"", id_field_, "\"");
    }
    return TextAndId{*std::move(text_), id_ ? *std::move(id_) : std::string()};
  }

 private:
  // Whether the value that begins now is the text.
  bool wanted() const { return depth_ == 0 || (depth_ == 1 && top_is_object_ && wanted_key_); }
  bool Nested(std::string_view kind) {
    if (wanted_id_) return OtherId(kind);
    return !wanted() || Other(kind);
  }
  bool Other(std::string_view kind) {
    if (depth_ == 0) status_ = Error(Code::kCorrupt, "expected a string or an object, found ", kind);
    if (depth_ == 1) status_ = Error(Code::kCorrupt, "field \"", field_, "\": expected a string, found ", kind);
    return false;
  }
  bool OtherId(std::string_view kind) {
    status_ = Error(Code::kCorrupt, "field \"", id_field_, "\": expected a string or a number, found ", kind);
    return false;
  }

  std::string_view field_, id_field_;
  std::size_t depth_ = 0;
  bool top_is_object_ = false;
  bool wanted_key_ = false, wanted_id_ = false;
  std::optional<std::string> text_, id_;
  Status status_;
};

}  // namespace

Result<TextAndId> TextAndIdOfJson(std::string_view line, std::string_view field, std::string_view id_field) {
  TextFinder finder(field, id_field);
  const std::optional<std::size_t> bad_byte = json::Read(line, finder);
  if (bad_byte) return Error(Code::kCorrupt, "not valid JSON at byte ", *bad_byte);
  return finder.Take();
}

Result<std::string> TextOfJson(std::string_view line, std::string_view field) {
  THIMBLE_ASSIGN_OR_RETURN(TextAndId found, TextAndIdOfJson(line, field, {}));
  return std::move(found.text);
}

}  // namespace thimble::bulk
