// Ollama's API.

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

#include "server/dialects.h"

namespace thimble::server {
namespace {

using std::chrono::nanoseconds;

constexpr double kMostSeconds = 1e9;  // As good as for ever, and far from overflow.

// A duration as Go writes it: "1h30m", "300ms", "-1s"; nothing where it is none.
std::optional<nanoseconds> ParseDuration(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3},
                                                            {"s", 1},     {"m", 60},    {"h", 3600}};
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return nanoseconds(0);
  if (text.empty()) return std::nullopt;
  double seconds = 0;
  while (!text.empty()) {
    double number = 0;
    if (text[0] != '.' && (text[0] < '0' || text[0] > '9')) return std::nullopt;  // Neither a sign nor a name.
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    std::size_t letters = 0;
    while (letters < text.size() && text[letters] >= 'a' && text[letters] <= 'z') ++letters;
    double unit = 0;
    for (const auto& [name, value] : kUnits) {
      if (text.substr(0, letters) == name) unit = value;
    }
    if (unit == 0) return std::nullopt;
    seconds += number * unit;
    text.remove_prefix(letters);
  }
  seconds = std::min(seconds, kMostSeconds);
  return nanoseconds(static_cast<std::int64_t>((negative ? -seconds : seconds) * 1e9));
}

void ReadShared(Fields& fields, EmbedRequest& request) {
  request.model = fields.String("model").value_or("");
  if (request.model.empty()) fields.Refuse("model", "model is required");
  if (const Json* value = fields.Find("keep_alive")) {
    if (value->is_number()) {
      const double seconds = std::clamp(value->number(), -1.0, kMostSeconds);
      request.keep_alive = nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
    } else if (value->is_string()) {
      request.keep_alive = ParseDuration(value->string());
    }
    if (!request.keep_alive) fields.Refuse("keep_alive", "expected seconds or a duration such as \"5m\"");
  }
  if (const Json* options = fields.Find("options"); options != nullptr && options->is_object()) {
    Fields inner(*options);
    if (const auto tokens = inner.Count("num_ctx")) {
      request.most_tokens = *tokens;
      request.most_tokens_field = "options.num_ctx";
    }
  }
}

}  // namespace

Parsed ParseOllama(const Json& body, EmbedRequest& request) {
  Fields fields(body);
  ReadShared(fields, request);
  const Json* input = fields.Find("input");
  const bool empty = input == nullptr || input->empty() || input->Is("");
  if (!empty) request.texts = fields.Texts("input");
  request.truncate = fields.Bool("truncate").value_or(true);
  request.dimensions = fields.Count("dimensions");
  request.more_dimensions = true;
  return fields.problem();
}

Body OllamaBody(const EmbedRequest& request, const EmbedResult& result) {
  std::string body;
  json::Writer writer(body);
  writer.Open('{').Member("model", request.model).Key("embeddings");
  if (!AppendVectors(result, Encoding::kFloat, body)) return std::nullopt;
  if (result.total.count() > 0) writer.Member("total_duration", result.total.count());
  if (result.load.count() > 0) writer.Member("load_duration", result.load.count());
  if (const std::size_t tokens = TotalTokens(result.reports); tokens > 0) writer.Member("prompt_eval_count", tokens);
  writer.Close('}');
  return body;
}

Parsed ParseOllamaOld(const Json& body, EmbedRequest& request) {
  Fields fields(body);
  ReadShared(fields, request);
  request.normalize.reset();
  if (const auto prompt = fields.String("prompt"); prompt && !prompt->empty()) request.texts = {*prompt};
  return fields.problem();
}

Body OllamaOldBody(const EmbedResult& result) {
  std::string body;
  json::Writer writer(body);
  writer.Open('{').Key("embedding");
  if (!AppendVector(result.values, Encoding::kFloat, false, {}, body)) return std::nullopt;
  writer.Close('}');
  return body;
}

}  // namespace thimble::server
