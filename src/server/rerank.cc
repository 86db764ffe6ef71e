// Requests that rank documents: TEI's, and those of Cohere, Jina and Voyage, which are alike.

#include <algorithm>
#include <numeric>

#include "server/dialects.h"

namespace thimble::server {
namespace {

// Strings, or Cohere's and Jina's objects with a text.
std::vector<std::string> Documents(Fields& fields) {
  const Json* documents = fields.Find("documents");
  const bool objects = documents != nullptr && documents->is_array() &&
                       std::any_of(documents->array().begin(), documents->array().end(),
                                   [](const Json& document) { return document.is_object(); });
  if (!objects) return fields.Texts("documents");
  std::vector<std::string> texts;
  for (const Json& document : documents->array()) {
    const Json* text = document.is_object() ? document.Find("text") : &document;
    if (text == nullptr || !text->is_string() || (document.is_object() && document.object().size() != 1)) {
      fields.Refuse("documents[" + std::to_string(texts.size()) + "]",
                    "expected a string or an object with the one field `text`: only texts are ranked");
      break;
    }
    texts.push_back(text->string());
  }
  return texts;
}

void RequireQuery(Fields& fields, RerankRequest& request) {
  const auto query = fields.String("query");
  if (!query || query->empty()) fields.Refuse("query", "cannot be empty", Fault::kEmpty);
  request.query = query.value_or("");
}

// The documents of a reply, best first.
std::vector<std::size_t> Ranking(std::span<const float> scores, std::size_t most) {
  std::vector<std::size_t> ranking(scores.size());
  std::iota(ranking.begin(), ranking.end(), std::size_t{0});
  std::stable_sort(ranking.begin(), ranking.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  if (most != 0 && most < ranking.size()) ranking.resize(most);
  return ranking;
}

}  // namespace

Parsed ParseTeiRerank(const Json& body, RerankRequest& request) {
  Fields fields(body);
  RequireQuery(fields, request);
  request.documents = fields.Texts("texts");
  request.raw_scores = fields.Bool("raw_scores").value_or(false);
  request.return_documents = fields.Bool("return_text").value_or(false);
  request.truncate = fields.Bool("truncate").value_or(true);
  if (fields.Choice("truncation_direction", {"right", "left"}) == "left") {
    fields.Refuse("truncation_direction", "a pair is cut as the model states; send right");
  }
  return fields.problem();
}

std::string TeiRerankBody(const RerankRequest& request, const RerankResult& result) {
  std::string body;
  json::Writer writer(body);
  writer.Open('[');
  for (const std::size_t index : Ranking(result.scores, request.top_n)) {
    writer.Open('{').Member("index", index);
    if (request.return_documents) writer.Key("text").Text(request.documents[index]);
    writer.Key("score").Float(result.scores[index]).Close('}');
  }
  writer.Close(']');
  return body;
}

Parsed ParseRerank(const Json& body, RerankRequest& request) {
  Fields fields(body);
  request.model = fields.String("model").value_or("");
  RequireQuery(fields, request);
  request.documents = Documents(fields);
  const bool top_k = body.Find("top_k") != nullptr, top_n = body.Find("top_n") != nullptr;
  const bool voyage = top_k || (body.Find("truncation") != nullptr && !top_n);
  request.results = !voyage;
  request.data = voyage || (!top_n && request.version == "1");
  if (top_k && top_n) fields.Refuse("top_k", "is Voyage's name for `top_n`; send one of them");
  if (const auto count = fields.Count(top_k ? "top_k" : "top_n")) request.top_n = *count;
  request.return_documents = fields.Bool("return_documents").value_or(false);
  request.raw_scores = fields.Bool("raw_scores").value_or(false);
  request.truncate = fields.Bool("truncation").value_or(true);
  if (fields.Find("rank_fields") != nullptr) fields.Refuse("rank_fields", "documents are texts without fields");
  if (fields.Find("max_chunks_per_doc") != nullptr) {
    fields.Refuse("max_chunks_per_doc", "a document is scored as a whole, as far as the model's limit allows");
  }
  request.document_tokens = fields.Count("max_tokens_per_doc").value_or(0);
  return fields.problem();
}

std::string RerankBody(const RerankRequest& request, const RerankResult& result, const std::string& id) {
  std::string body;
  json::Writer writer(body);
  const std::vector<std::size_t> ranking = Ranking(result.scores, request.top_n);
  const auto add = [&](const char* key, bool document_is_object) {
    writer.Key(key).Open('[');
    for (const std::size_t index : ranking) {
      writer.Open('{').Member("index", index).Key("relevance_score").Float(result.scores[index]);
      if (request.return_documents) writer.Key("document");
      if (request.return_documents && document_is_object) writer.Open('{').Key("text");
      if (request.return_documents) writer.Text(request.documents[index]);
      if (request.return_documents && document_is_object) writer.Close('}');
      writer.Close('}');
    }
    writer.Close(']');
  };
  writer.Open('{').Member("id", id).Member("object", "list").Member("model", result.model);
  if (request.results) add("results", true);
  if (request.data) add("data", false);
  writer.Member("usage", json::Object{{"total_tokens", result.tokens}});
  if (request.results) {
    writer.Member("meta", json::Object{{"api_version", json::Object{{"version", request.version}}},
                                       {"billed_units", json::Object{{"search_units", 1}}}});
  }
  writer.Close('}');
  return body;
}

}  // namespace thimble::server
