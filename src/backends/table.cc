// Reads the table, which is a part of the program.

#include "backends/table.h"

#include <algorithm>
#include <charconv>

namespace thimble::backends {
namespace {

using Json = nlohmann::json;

constexpr const char* kText =
#include "backends/dialects.inc"
    ;

std::string TextOr(const Json& value, const char* key) {
  const auto found = value.find(key);
  return found == value.end() || found->is_null() ? std::string() : found->get<std::string>();
}

std::size_t CountOr(const Json& value, const char* key) {
  const auto found = value.find(key);
  return found == value.end() || found->is_null() ? 0 : found->get<std::size_t>();
}

std::chrono::milliseconds TimeOf(const Json& value, const char* key) {
  return std::chrono::milliseconds(value.at(key).get<std::int64_t>());
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
    if (const auto found = value.find(name); found != value.end()) choice.values.emplace(name, *found);
  }
  return choice;
}

std::optional<Choice> ReadInputType(const Json& value) {
  if (value.is_null()) return std::nullopt;
  Choice choice = {.field = TextOr(value, "field"), .values = {}, .by_default = TextOr(value, "default")};
  choice.any = value.at("values").is_null();
  if (!choice.any) choice.values = value.at("values").get<std::map<std::string, Json>>();
  return choice;
}

std::optional<Choice> ReadLongTexts(const Json& value) {
  if (value.is_null()) return std::nullopt;
  return Choice{.field = TextOr(value, "field"),
                .values = {{"truncate", value.at("truncate")}, {"error", value.at("error")}},
                .by_default = "truncate"};
}

Dialect ReadDialect(const std::string& name, const Json& value) {
  Dialect dialect;
  dialect.name = name;
  dialect.argument_is_url = value.at("argument") == "url";
  dialect.base_url = TextOr(value, "baseUrl");
  dialect.base_url_variable = TextOr(value, "baseUrlVariable");
  if (const auto bare = value.find("bareHost"); bare != value.end()) {
    dialect.bare_scheme = TextOr(*bare, "scheme");
    dialect.bare_port = bare->at("port").get<int>();
  }
  dialect.key_variables = value.at("keyVariables").get<std::vector<std::string>>();
  dialect.key_required = value.at("keyRequired").get<bool>();
  dialect.path = TextOr(value, "path");
  const Json& fields = value.at("fields");
  dialect.texts_field = TextOr(fields, "texts");
  dialect.model_field = TextOr(fields, "model");
  dialect.dimensions_field = TextOr(fields, "dimensions");
  dialect.fixed = value.at("fixed");
  dialect.encoding = ReadEncoding(value.at("encoding"));
  dialect.input_type = ReadInputType(value.at("inputType"));
  dialect.long_texts = ReadLongTexts(value.at("longTexts"));
  const Json& limits = value.at("limits");
  dialect.most_texts = limits.at("items").get<std::size_t>();
  dialect.most_bytes = limits.at("bytes").get<std::size_t>();
  dialect.text_tokens = CountOr(limits, "textTokens");
  if (const auto info = value.find("info"); info != value.end()) {
    dialect.info_path = TextOr(*info, "path");
    dialect.info_items = TextOr(*info, "items");
    dialect.info_tokens = TextOr(*info, "textTokens");
    dialect.info_model = TextOr(*info, "model");
  }
  const Json& reply = value.at("reply");
  dialect.items = reply.at("items").get<std::map<std::string, std::string>>();
  dialect.vector = TextOr(reply, "vector");
  dialect.index = TextOr(reply, "index");
  dialect.tokens = reply.at("tokens").get<std::vector<std::string>>();
  dialect.tokens_header = TextOr(reply, "tokensHeader");
  dialect.echo = reply.at("echo").get<bool>();
  dialect.error = value.at("error").get<std::vector<std::string>>();
  return dialect;
}

Table ReadTable() {
  const Json root = Json::parse(kText);
  Table table;
  for (const auto& [name, dialect] : root.at("dialects").items())
    table.dialects.emplace(name, ReadDialect(name, dialect));
  const Json& common = root.at("common");
  table.key_header = TextOr(common.at("key"), "header");
  table.key_prefix = TextOr(common.at("key"), "prefix");
  const Json& defaults = common.at("defaults");
  table.concurrency = defaults.at("concurrency").get<std::size_t>();
  table.request_texts = defaults.at("requestTexts").get<std::size_t>();
  table.connect_timeout = TimeOf(defaults, "connectTimeoutMs");
  table.attempt_timeout = TimeOf(defaults, "attemptTimeoutMs");
  const Json& retry = common.at("retry");
  table.retry.codes = retry.at("statuses").get<std::vector<long>>();
  table.retry.codes_from = retry.at("statusesFrom").get<long>();
  table.retry.attempts = retry.at("attempts").get<int>();
  table.retry.first_delay = TimeOf(retry, "firstDelayMs");
  table.retry.most_delay = TimeOf(retry, "mostDelayMs");
  table.retry.most_after = TimeOf(retry, "mostAfterMs");
  table.retry.after_ms = TextOr(retry, "afterMs");
  table.retry.after = TextOr(retry, "after");
  table.retry.should = TextOr(retry, "should");
  for (const auto& [status, code] : common.at("errors").items()) {
    table.errors.emplace(status, CodeOf(code.get<std::string>()));
  }
  const Json& reply = common.at("reply");
  table.reply_bytes = reply.at("bytes").get<std::size_t>();
  table.reply_bytes_of_item = reply.at("bytesOfItem").get<std::size_t>();
  table.reply_bytes_of_number = reply.at("bytesOfNumber").get<std::size_t>();
  table.most_dimensions = reply.at("mostDimensions").get<std::size_t>();
  table.reply_depth = reply.at("depth").get<std::size_t>();
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
      const auto member = found->find(name);
      if (member == found->end()) return nullptr;
      found = &*member;
    } else if (found->is_array()) {
      std::size_t index = 0;
      auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), index);
      if (error != std::errc() || stop != name.data() + name.size() || index >= found->size()) return nullptr;
      found = &(*found)[index];
    } else {
      return nullptr;
    }
  }
  return found;
}

}  // namespace thimble::backends
