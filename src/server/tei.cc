// Text Embeddings Inference of Hugging Face.

#include <nlohmann/json.hpp>
#include <numeric>

#include "server/dialects.h"

namespace thimble::server {
namespace {

// What /embed and the parameters of /similarity share.
void ReadOptions(Fields& fields, EmbedRequest& request) {
  request.truncate = fields.Bool("truncate").value_or(true);
  if (fields.Choice("truncation_direction", {"right", "left"}) == "left") {
    fields.Refuse("truncation_direction", "only the end of a text can be cut; send right");
  }
  request.prompt_name = fields.String("prompt_name");
}

Body Rows(const EmbedResult& result) {
  std::string body = "[";
  for (std::size_t i = 0; i < result.reports.size(); ++i) {
    if (i > 0) body += ',';
    if (!AppendVector(result.values.subspan(i * result.dimensions, result.dimensions), Encoding::kFloat, false, body)) {
      return std::nullopt;
    }
  }
  return body + ']';
}

}  // namespace

Parsed ParseTei(const Json& body, EmbedRequest& request) {
  Fields fields(body);
  request.texts = fields.Texts("inputs");
  ReadOptions(fields, request);
  request.normalize = fields.Bool("normalize").value_or(true);
  request.dimensions = fields.Count("dimensions");
  for (const std::string& text : request.texts) {
    if (text.empty()) fields.Refuse("inputs", "cannot be empty", Fault::kEmpty);
  }
  return fields.problem();
}

Body TeiBody(const EmbedRequest&, const EmbedResult& result) { return Rows(result); }

Parsed ParseTeiSimilarity(const Json& body, EmbedRequest& request) {
  Fields fields(body);
  const Json* inputs = fields.Find("inputs");
  if (inputs == nullptr || !inputs->is_object()) {
    fields.Refuse("inputs", "expected an object with `source_sentence` and `sentences`");
    return fields.problem();
  }
  Fields texts(*inputs);
  request.texts = texts.Texts("sentences");
  const auto source = texts.String("source_sentence");
  if (!source || source->empty()) texts.Refuse("source_sentence", "cannot be empty", Fault::kEmpty);
  request.texts.push_back(source.value_or(""));
  if (!texts.ok()) return texts.problem();
  const Json* parameters = fields.Find("parameters");
  if (parameters == nullptr) return fields.problem();
  if (!parameters->is_object()) fields.Refuse("parameters", "expected an object");
  Fields options(*parameters);
  if (fields.ok()) ReadOptions(options, request);
  return fields.ok() ? options.problem() : fields.problem();
}

std::vector<float> TeiSimilarity(const EmbedResult& result) {
  const std::size_t sentences = result.reports.size() - 1;
  const std::span<const float> source = result.values.subspan(sentences * result.dimensions, result.dimensions);
  std::vector<float> scores;
  for (std::size_t i = 0; i < sentences; ++i) {
    scores.push_back(static_cast<float>(
        std::inner_product(source.begin(), source.end(),
                           result.values.begin() + static_cast<std::ptrdiff_t>(i * result.dimensions), 0.0)));
  }
  return scores;
}

Body TeiSimilarityBody(const EmbedResult& result) {
  const std::vector<float> scores = TeiSimilarity(result);
  std::string body;
  if (!AppendVector(scores, Encoding::kFloat, false, body)) return std::nullopt;
  return body;
}

}  // namespace thimble::server
