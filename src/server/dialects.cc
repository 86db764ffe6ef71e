// What the dialects share.

#include "server/dialects.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace thimble::server {
namespace {

// The names that models give to prompts of the same purpose.
constexpr std::string_view kQueryNames[] = {"query", "search_query", "retrieval.query"};
constexpr std::string_view kDocumentNames[] = {"document", "passage", "search_document", "retrieval.passage"};

// How the core calls the field.
constexpr std::string_view kPrecision = "`precision`";

const Prompt* FindPrompt(const ModelInfo& info, std::span<const std::string_view> names) {
  for (std::string_view name : names) {
    for (const Prompt& prompt : info.prompts) {
      if (prompt.name == name) return &prompt;
    }
  }
  return nullptr;
}

const Prompt* PromptFor(const ModelInfo& info, std::string_view purpose) {
  if (purpose == "query") return FindPrompt(info, kQueryNames);
  if (purpose == "document") return FindPrompt(info, kDocumentNames);
  return FindPrompt(info, {&purpose, 1});
}

}  // namespace

std::string PromptText(const ModelInfo& info, const std::optional<std::string>& name) {
  const std::string_view wanted = name ? *name : info.default_prompt_name;
  const Prompt* prompt = FindPrompt(info, {&wanted, 1});
  return prompt == nullptr ? std::string() : prompt->text;
}

std::size_t TotalTokens(std::span<const Report> reports) {
  std::size_t tokens = 0;
  for (const Report& report : reports) tokens += report.tokens;
  return tokens;
}

Parsed ResolveOptions(const EmbedRequest& request, const ModelInfo& info, VectorOptions& options) {
  options = {};
  options.normalize = request.normalize;
  options.long_texts = request.truncate ? LongTexts::kTruncate : LongTexts::kError;
  if (request.purpose) {
    const Prompt* prompt = PromptFor(info, *request.purpose);
    options.prompt_name = prompt == nullptr ? std::string() : prompt->name;
  }
  if (request.prompt_name) {
    const std::string_view name = *request.prompt_name;
    if (!name.empty() && FindPrompt(info, {&name, 1}) == nullptr) {
      std::string known;
      for (const Prompt& prompt : info.prompts) known += (known.empty() ? "" : ", ") + prompt.name;
      return Problem{.fault = Fault::kBadRequest,
                     .message = "`prompt_name`: " + info.name + " has no prompt named " +
                                Json(*request.prompt_name).Text() +
                                (known.empty() ? "; it has none" : "; it has " + known),
                     .param = "prompt_name"};
    }
    options.prompt_name = *request.prompt_name;
  }
  if (request.dimensions && *request.dimensions > info.dimensions && !request.more_dimensions) {
    return Problem{.fault = Fault::kBadRequest,
                   .message = "`" + std::string(request.dimensions_field) + "`: expected at most " +
                              std::to_string(info.dimensions) + ", found " + std::to_string(*request.dimensions),
                   .param = request.dimensions_field};
  }
  if (request.dimensions) options.dimensions = std::min(*request.dimensions, info.dimensions);
  const Result<CodeRange> range = RangeOf(request.encodings, info, options);
  if (range.ok()) return std::nullopt;
  std::string message = range.status().message();
  if (message.starts_with(kPrecision)) message.replace(0, kPrecision.size(), "`" + request.encoding_field + "`");
  return Problem{.fault = Fault::kBadRequest, .message = std::move(message), .param = request.encoding_field};
}

bool AppendVectors(const EmbedResult& result, Encoding encoding, std::string& body) {
  json::Writer writer(body);
  writer.Open('[');
  for (std::size_t i = 0; i < result.reports.size(); ++i) {
    if (!AppendVector(result.vector(i), encoding, false, result.range, body)) return false;
  }
  writer.Close(']');
  return true;
}

}  // namespace thimble::server
