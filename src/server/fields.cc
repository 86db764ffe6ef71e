// Checks before and after the parser.

#include "server/fields.h"

#include <algorithm>
#include <utility>

#include "json/parse.h"

namespace thimble::server {
namespace {

constexpr std::size_t kMaxDepth = 16;
// An element of an array, which grows by doubling; and an entry of an object, a node with its key.
constexpr std::size_t kElementBytes = 2 * sizeof(Json) + 32;
constexpr std::size_t kEntryBytes = 160;

// A value for a message: short ones whole.
std::string Describe(const Json& value) {
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  if (value.is_string()) {
    const std::string& text = value.string();
    return text.size() <= 40 ? value.Text() : "a string of " + std::to_string(text.size()) + " bytes";
  }
  return value.Text();
}

}  // namespace

std::size_t MemoryOf(std::string_view body) {
  std::size_t bytes = body.size();
  bool text = false;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (text) {
      if (c == '\\') ++i;
      if (c == '"') text = false;
      continue;
    }
    if (c == '"') text = true;
    if (c == ',' || c == '[' || c == '{') bytes += kElementBytes;
    if (c == ':') bytes += kEntryBytes;
  }
  return bytes;
}

std::optional<Problem> ParseBody(std::string_view body, Json& object) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return Problem{.fault = Fault::kBadRequest, .message = "missing request body"};
  }
  Result<Json> parsed = json::Parse(body, "the body", {.depth = kMaxDepth});
  if (!parsed.ok()) return Problem{.fault = Fault::kBadRequest, .message = parsed.status().message()};
  object = *std::move(parsed);
  if (!object.is_object()) {
    return Problem{.fault = Fault::kBadRequest, .message = "the body: expected an object, found " + Describe(object)};
  }
  return std::nullopt;
}

const Json* Fields::Find(const char* name) const { return object_.FindSet(name); }

std::optional<std::string> Fields::String(const char* name) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->string();
  Expect(name, "a string", *value);
  return std::nullopt;
}

std::optional<bool> Fields::Bool(const char* name) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->boolean();
  Expect(name, "true or false", *value);
  return std::nullopt;
}

std::optional<std::size_t> Fields::Count(const char* name) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_unsigned() && value->integer() > 0) return value->integer();
  Expect(name, "a positive integer", *value);
  return std::nullopt;
}

std::optional<std::string> Fields::Choice(const char* name, std::initializer_list<const char*> allowed) {
  const Json* value = Find(name);
  if (value == nullptr) return std::nullopt;
  std::string list;
  for (const char* choice : allowed) {
    if (value->is_string() && Lower(value->string()) == Lower(choice)) return choice;
    list += (list.empty() ? "'" : ", '") + std::string(choice) + "'";
  }
  Refuse(name, "invalid value " + Describe(*value) + ". Supported values: [" + list + "]");
  return std::nullopt;
}

std::vector<std::string> Fields::Texts(const char* name, bool* single) {
  const Json* value = Find(name);
  if (single != nullptr) *single = value != nullptr && value->is_string();
  if (value == nullptr) {
    Refuse(name, "missing: expected a string or an array of strings", Fault::kEmpty);
    return {};
  }
  if (value->is_string()) return {value->string()};
  std::vector<std::string> texts;
  if (!value->is_array()) {
    Expect(name, "a string or an array of strings", *value);
    return {};
  }
  if (value->array().empty()) Refuse(name, "cannot be empty", Fault::kEmpty);
  texts.reserve(value->array().size());
  for (const Json& item : value->array()) {
    if (item.is_string()) {
      texts.push_back(item.string());
      continue;
    }
    if (item.is_number() || (item.is_array() && !item.empty() && item.array()[0].is_number())) {
      Refuse(name,
             "token ids are not taken, because nothing says which vocabulary they are of; send texts (in LangChain: "
             "check_embedding_ctx_length=False)");
    } else {
      Expect(std::string(name) + "[" + std::to_string(texts.size()) + "]", "a string", item);
    }
    return {};
  }
  return texts;
}

void Fields::Refuse(std::string_view name, std::string_view why, Fault fault) {
  if (problem_) return;
  problem_ = Problem{.fault = fault,
                     .message = "`" + std::string(name) + "`: " + std::string(why),
                     .param = std::string(name.substr(0, name.find('[')))};
}

void Fields::Expect(std::string_view name, std::string_view expected, const Json& found) {
  Refuse(name, "expected " + std::string(expected) + ", found " + Describe(found));
}

}  // namespace thimble::server
