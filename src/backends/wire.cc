// Makes requests, and checks replies, which may hold anything.

#include "backends/wire.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/base64.h"
#include "base/error.h"
#include "json/parse.h"
#include "json/writer.h"

namespace thimble::backends {
namespace {

using Json = json::Value;

constexpr std::size_t kMostMessageBytes = 500;
constexpr std::size_t kMostEscapedBytes = 6;  // Of one byte in JSON.
static_assert(std::endian::native == std::endian::little, "base64 holds floats as they lie in memory");

// What a message says of a value that is not as expected.
std::string Shown(const Json* value) {
  if (value == nullptr) return "nothing";
  return value->is_number() ? value->Text() : value->Kind();
}

std::string NamesOf(const Choice& choice) {
  std::string names;
  for (const auto& [name, value] : choice.values) names += (names.empty() ? "" : ", ") + name;
  return names;
}

void Set(json::Object& fields, const std::string& field, Json value) {
  if (!field.empty() && !value.is_null()) fields[field] = std::move(value);
}

Result<Json> InputTypeOf(const Dialect& dialect, const std::optional<std::string>& prompt_name) {
  const std::optional<Choice>& choice = dialect.input_type;
  const std::string wanted = prompt_name.value_or(choice ? choice->by_default : "");
  if (wanted.empty()) return Json();
  if (!choice) return Error(Code::kUnsupported, "prompt \"", wanted, "\": ", dialect.name, " has no input types");
  if (choice->any) return Json(wanted);
  const auto found = choice->values.find(wanted);
  if (found == choice->values.end()) {
    return Error(Code::kUnsupported, "prompt \"", wanted, "\": ", dialect.name, " has ", NamesOf(*choice));
  }
  return Json(found->second);
}

// Appends the float that `value` is; false when it is none, or beyond a float.
bool AppendFloat(const Json& value, std::vector<float>& vector) {
  if (!value.is_number()) return false;
  vector.push_back(static_cast<float>(value.number()));
  return std::isfinite(vector.back());
}

Result<std::vector<float>> VectorFromBase64(std::string_view text, const std::string& where) {
  const std::optional<std::string> bytes = base::FromBase64(text);
  if (!bytes) return Error(Code::kCorrupt, where, ": expected base64 with padding, found other text");
  if (bytes->empty() || bytes->size() % sizeof(float) != 0) {
    return Error(Code::kCorrupt, where, ": expected base64 of floats, found ", bytes->size(), " bytes");
  }
  std::vector<float> vector(bytes->size() / sizeof(float));
  std::memcpy(vector.data(), bytes->data(), bytes->size());
  for (std::size_t i = 0; i < vector.size(); ++i) {
    if (!std::isfinite(vector[i])) return Error(Code::kCorrupt, where, ": value ", i, ": expected a finite number");
  }
  return vector;
}

Result<std::vector<float>> VectorOf(const Json* value, const std::string& where) {
  if (value != nullptr && value->is_string()) {
    return VectorFromBase64(value->string(), where);
  }
  if (value == nullptr || !value->is_array() || value->array().empty()) {
    return Error(Code::kCorrupt, where, ": expected a vector, found ",
                 value != nullptr && value->is_array() ? "an empty array" : Shown(value));
  }
  std::vector<float> vector;
  vector.reserve(value->array().size());
  for (const Json& number : value->array()) {
    if (!AppendFloat(number, vector)) {
      return Error(Code::kCorrupt, where, ": value ", &number - &value->array().front(),
                   ": expected a number that fits into a float, found ", Shown(&number));
    }
  }
  return vector;
}

std::optional<std::size_t> CountOf(const Json* value) {
  if (value == nullptr || !value->is_unsigned()) return std::nullopt;
  return value->integer();
}

// Digits alone.
std::optional<std::size_t> CountOf(std::string_view text) {
  if (text.empty() || text.size() > 15 || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  return std::stoull(std::string(text));
}

std::optional<std::size_t> TokensOf(const Dialect& dialect, const net::HttpReply& reply, const Json& body) {
  if (!dialect.tokens_header.empty()) {
    if (const auto count = CountOf(reply.Header(dialect.tokens_header))) return count;
  }
  for (const std::string& pointer : dialect.tokens) {
    if (const auto count = CountOf(Find(body, pointer))) return count;
  }
  return std::nullopt;
}

}  // namespace

Result<RequestFields> MakeFields(const Dialect& dialect, const RequestOptions& options) {
  RequestFields request = {dialect.fixed, options.encoding.empty() ? dialect.encoding.by_default : options.encoding};
  Set(request.fields, dialect.model_field, options.model);
  if (options.dimensions != 0) Set(request.fields, dialect.dimensions_field, options.dimensions);
  const auto encoding = dialect.encoding.values.find(request.encoding);
  if (encoding == dialect.encoding.values.end()) {
    return Error(Code::kUnsupported, "encoding \"", request.encoding, "\": ", dialect.name, " has ",
                 NamesOf(dialect.encoding));
  }
  Set(request.fields, dialect.encoding.field, encoding->second);
  THIMBLE_ASSIGN_OR_RETURN(Json input_type, InputTypeOf(dialect, options.prompt_name));
  if (dialect.input_type) Set(request.fields, dialect.input_type->field, std::move(input_type));
  const std::optional<Choice>& lengths = dialect.long_texts;
  if (options.long_texts && (!lengths || !lengths->values.contains(std::string(LongTextsName(*options.long_texts))))) {
    return Error(Code::kUnsupported, "long texts \"", LongTextsName(*options.long_texts), "\": ", dialect.name,
                 lengths ? " has " + NamesOf(*lengths) : " leaves that to the server");
  }
  if (lengths) {
    const std::string name(options.long_texts ? LongTextsName(*options.long_texts) : lengths->by_default);
    Set(request.fields, lengths->field, lengths->values.at(name));
  }
  return request;
}

std::vector<std::pair<std::size_t, std::size_t>> CutRequests(std::span<const std::string_view> texts,
                                                             std::size_t most_texts, std::size_t most_bytes) {
  std::vector<std::pair<std::size_t, std::size_t>> requests;
  for (std::size_t begin = 0, end = 0; begin < texts.size(); begin = end) {
    for (std::size_t bytes = 0; end < texts.size() && end - begin < most_texts; ++end) {
      bytes += texts[end].size();
      if (bytes > most_bytes && end > begin) break;
    }
    requests.emplace_back(begin, end);
  }
  return requests;
}

std::string MakeBody(const Dialect& dialect, const RequestFields& fields, std::span<const std::string_view> texts) {
  std::string body;
  json::Writer writer(body);
  writer.Open('{');
  for (const auto& [field, value] : fields.fields) writer.Member(field, value);
  writer.Key(dialect.texts_field).Open('[');
  for (const std::string_view text : texts) writer.Text(text);
  writer.Close(']').Close('}');
  return body;
}

std::size_t MostReplyBytes(const Dialect& dialect, std::span<const std::string_view> texts, std::size_t dimensions) {
  const Table& table = TheTable();
  if (dimensions == 0) dimensions = table.most_dimensions;
  std::size_t most =
      table.reply_bytes + texts.size() * (table.reply_bytes_of_item + dimensions * table.reply_bytes_of_number);
  if (dialect.echo) {
    for (const std::string_view text : texts) most += kMostEscapedBytes * text.size();
  }
  return most;
}

Result<DecodedReply> DecodeReply(const Dialect& dialect, const net::HttpReply& reply, std::string_view encoding,
                                 std::size_t count, std::size_t dimensions, std::string_view where) {
  const Table& table = TheTable();
  // Of a vector, and of all else that an item and the reply may have.
  const std::size_t most_numbers = dimensions == 0 ? table.most_dimensions : dimensions;
  const std::size_t most_values = 1024 + count * (most_numbers + 64);
  THIMBLE_ASSIGN_OR_RETURN(const Json body,
                           json::Parse(reply.body, where, {.depth = table.reply_depth, .values = most_values}));
  const std::string& place = dialect.items.at(std::string(encoding));
  const Json* items = Find(body, place);
  if (items == nullptr || !items->is_array()) {
    return Error(Code::kCorrupt, where, ": expected a list at ", place.empty() ? "the top" : place,
                 " of the reply, found ", Shown(items));
  }
  if (items->array().size() != count) {
    return Error(Code::kCorrupt, where, ": expected ", count, " vectors, found ", items->array().size());
  }
  DecodedReply decoded;
  decoded.vectors.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Json& item = items->array()[i];
    const std::string item_where = std::string(where) + ": item " + std::to_string(i) + " of the reply";
    std::size_t index = i;
    if (!dialect.index.empty()) {
      const Json* stated = Find(item, dialect.index);
      const std::optional<std::size_t> number = CountOf(stated);
      if (!number || *number >= count || !decoded.vectors[*number].empty()) {
        return Error(Code::kCorrupt, item_where, ": expected an index below ", count, " that no other item has, found ",
                     Shown(stated));
      }
      index = *number;
    }
    THIMBLE_ASSIGN_OR_RETURN(std::vector<float> vector, VectorOf(Find(item, dialect.vector), item_where));
    if (dimensions == 0) dimensions = vector.size();
    if (vector.size() != dimensions) {
      return Error(Code::kCorrupt, item_where, ": expected ", dimensions, " values, found ", vector.size());
    }
    decoded.vectors[index] = std::move(vector);
  }
  decoded.tokens = TokensOf(dialect, reply, body);
  return decoded;
}

Result<InfoPage> DecodeInfo(const Dialect& dialect, const net::HttpReply& reply, std::string_view where) {
  THIMBLE_ASSIGN_OR_RETURN(const Json body, json::Parse(reply.body, where, {.depth = TheTable().reply_depth}));
  InfoPage page;
  const auto read_count = [&](const std::string& pointer, std::size_t& count) -> Status {
    const Json* value = Find(body, pointer);
    if (value == nullptr || value->is_null()) return Status();
    const std::optional<std::size_t> number = CountOf(value);
    if (number.value_or(0) == 0) {
      return Error(Code::kCorrupt, where, ": expected a count at ", pointer, ", found ", Shown(value));
    }
    count = *number;
    return Status();
  };
  THIMBLE_RETURN_IF_ERROR(read_count(dialect.info_items, page.most_texts));
  THIMBLE_RETURN_IF_ERROR(read_count(dialect.info_tokens, page.text_tokens));
  if (const Json* model = Find(body, dialect.info_model); model != nullptr && !model->is_null()) {
    if (!model->is_string()) {
      return Error(Code::kCorrupt, where, ": expected a name at ", dialect.info_model, ", found ", Shown(model));
    }
    page.model = model->string();
  }
  return page;
}

std::string WithoutKey(std::string text, std::string_view key) {
  if (key.empty()) return text;
  for (std::size_t at = 0; (at = text.find(key, at)) != std::string::npos; at += 3) text.replace(at, key.size(), "***");
  return text;
}

std::string MessageOf(const Dialect& dialect, std::string_view body, std::string_view key) {
  const Result<Json> parsed = json::Parse(body, "", {.depth = TheTable().reply_depth});
  if (!parsed.ok()) return "";
  for (const std::string& pointer : dialect.error) {
    const Json* value = Find(*parsed, pointer);
    if (value == nullptr || !value->is_string()) continue;
    std::string message = WithoutKey(value->string(), key);
    for (char& letter : message) {
      if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F) letter = ' ';
    }
    if (message.size() <= kMostMessageBytes) return message;
    std::size_t end = kMostMessageBytes;
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;  // Within a character.
    return message.substr(0, end) + "...";
  }
  return "";
}

Code CodeOfStatus(long status) {
  const std::map<std::string, Code>& errors = TheTable().errors;
  if (const auto found = errors.find(std::to_string(status)); found != errors.end()) return found->second;
  return errors.at(status >= 400 && status < 500 ? "4xx" : "other");
}

}  // namespace thimble::backends
