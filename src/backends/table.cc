// Reads the table, which is a part of the program.

#include "backends/table.h"

#include <algorithm>
#include <charconv>

#include "json/parse.h"

namespace thimble::backends {
namespace {

using Json = json::Value;

constexpr const char* kText =
#include "backends/dialects.inc"
    ;

// A member that the table always has.
const Json& At(const Json& value, const char* key) { return *value.Find(key); }

std::string TextOr(const Json& value, const char* key) {
  const Json* found = value.FindSet(key);
  return found == nullptr ? std::string() : found->string();
}

std::size_t CountOr(const Json& value, const char* key) {
  const Json* found = value.FindSet(key);
  return found == nullptr ? 0 : found->integer();
}

std::vector<std::string> TextsOf(const Json& value) {
  std::vector<std::string> texts;
  for (const Json& text : value.array()) texts.push_back(text.string());
  return texts;
}

std::chrono::milliseconds TimeOf(const Json& value, const char* key) {
  return std::chrono::milliseconds(At(value, key).integer());
}

Code CodeOf(std::string_view name) {
  for (int code = 0;; ++code) {
    if (CodeName(static_cast<Code>(code)) == name) return static_cast<Code>(code);
  }
}

// Every key but the two names is a name of ours.
Choice ReadEncoding(const Json& value) {
  Choice choice = {.field = TextOr(value, "field"), .values = {}, .by_default = TextOr(value, "default")};
  for (const char* name : {"float", "base64"}) {
    if (const Json* found = value.Find(name)) choice.values.emplace(name, *found);
  }
  return choice;
}

std::optional<Choice> ReadInputType(const Json& value) {
  if (value.is_null()) return std::nullopt;
  Choice choice = {.field = TextOr(value, "field"), .values = {}, .by_default = TextOr(value, "default")};
  choice.any = At(value, "values").is_null();
  if (choice.any) return choice;
  for (const auto& [name, sent] : At(value, "values").object()) choice.values.emplace(name, sent);
  return choice;
}

std::optional<Choice> ReadLongTexts(const Json& value) {
  if (value.is_null()) return std::nullopt;
  return Choice{.field = TextOr(value, "field"),
                .values = {{"truncate", At(value, "truncate")}, {"error", At(value, "error")}},
                .by_default = "truncate"};
}

Dialect ReadDialect(const std::string& name, const Json& value) {
  Dialect dialect;
  dialect.name = name;
  dialect.argument_is_url = At(value, "argument").Is("url");
  dialect.base_url = TextOr(value, "baseUrl");
  dialect.base_url_variable = TextOr(value, "baseUrlVariable");
  if (const Json* bare = value.Find("bareHost")) {
    dialect.bare_scheme = TextOr(*bare, "scheme");
    dialect.bare_port = static_cast<int>(At(*bare, "port").integer());
  }
  dialect.key_variables = TextsOf(At(value, "keyVariables"));
  dialect.key_required = At(value, "keyRequired").boolean();
  dialect.path = TextOr(value, "path");
  const Json& fields = At(value, "fields");
  dialect.texts_field = TextOr(fields, "texts");
  dialect.model_field = TextOr(fields, "model");
  dialect.dimensions_field = TextOr(fields, "dimensions");
  dialect.fixed = At(value, "fixed").object();
  dialect.encoding = ReadEncoding(At(value, "encoding"));
  dialect.input_type = ReadInputType(At(value, "inputType"));
  dialect.long_texts = ReadLongTexts(At(value, "longTexts"));
  const Json& limits = At(value, "limits");
  dialect.most_texts = At(limits, "items").integer();
  dialect.most_bytes = At(limits, "bytes").integer();
  dialect.text_tokens = CountOr(limits, "textTokens");
  if (const Json* info = value.Find("info")) {
    dialect.info_path = TextOr(*info, "path");
    dialect.info_items = TextOr(*info, "items");
    dialect.info_tokens = TextOr(*info, "textTokens");
    dialect.info_model = TextOr(*info, "model");
  }
  const Json& reply = At(value, "reply");
  for (const auto& [encoding, pointer] : At(reply, "items").object()) dialect.items.emplace(encoding, pointer.string());
  dialect.vector = TextOr(reply, "vector");
  dialect.index = TextOr(reply, "index");
  dialect.tokens = TextsOf(At(reply, "tokens"));
  dialect.tokens_header = TextOr(reply, "tokensHeader");
  dialect.echo = At(reply, "echo").boolean();
  dialect.error = TextsOf(At(value, "error"));
  return dialect;
}

Table ReadTable() {
  const Json root = *json::Parse(kText, "dialects.json");
  Table table;
  for (const auto& [name, dialect] : At(root, "dialects").object()) {
    table.dialects.emplace(name, ReadDialect(name, dialect));
  }
  const Json& common = At(root, "common");
  table.key_header = TextOr(At(common, "key"), "header");
  table.key_prefix = TextOr(At(common, "key"), "prefix");
  const Json& defaults = At(common, "defaults");
  table.concurrency = At(defaults, "concurrency").integer();
  table.request_texts = At(defaults, "requestTexts").integer();
  table.connect_timeout = TimeOf(defaults, "connectTimeoutMs");
  table.attempt_timeout = TimeOf(defaults, "attemptTimeoutMs");
  const Json& retry = At(common, "retry");
  for (const Json& code : At(retry, "statuses").array()) table.retry.codes.push_back(static_cast<long>(code.integer()));
  table.retry.codes_from = static_cast<long>(At(retry, "statusesFrom").integer());
  table.retry.attempts = static_cast<int>(At(retry, "attempts").integer());
  table.retry.first_delay = TimeOf(retry, "firstDelayMs");
  table.retry.most_delay = TimeOf(retry, "mostDelayMs");
  table.retry.most_after = TimeOf(retry, "mostAfterMs");
  table.retry.after_ms = TextOr(retry, "afterMs");
  table.retry.after = TextOr(retry, "after");
  table.retry.should = TextOr(retry, "should");
  for (const auto& [status, code] : At(common, "errors").object()) {
    table.errors.emplace(status, CodeOf(code.string()));
  }
  const Json& reply = At(common, "reply");
  table.reply_bytes = At(reply, "bytes").integer();
  table.reply_bytes_of_item = At(reply, "bytesOfItem").integer();
  table.reply_bytes_of_number = At(reply, "bytesOfNumber").integer();
  table.most_dimensions = At(reply, "mostDimensions").integer();
  table.reply_depth = At(reply, "depth").integer();
  return table;
}

}  // namespace

const Table& TheTable() {
  static const Table table = ReadTable();
  return table;
}

const Json* Find(const Json& value, std::string_view pointer) {
  const Json* found = &value;
  while (!pointer.empty()) {
    const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
    const std::string_view name = pointer.substr(1, end - 1);
    pointer.remove_prefix(end);
    if (found->is_object()) {
      found = found->Find(name);
      if (found == nullptr) return nullptr;
    } else if (found->is_array()) {
      std::size_t index = 0;
      auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), index);
      if (error != std::errc() || stop != name.data() + name.size() || index >= found->array().size()) return nullptr;
      found = &found->array()[index];
    } else {
      return nullptr;
    }
  }
  return found;
}

}  // namespace thimble::backends
