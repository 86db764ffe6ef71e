// Cohere's embed, versions 1 and 2.

#include <algorithm>

#include "server/dialects.h"

namespace thimble::server {
namespace {

// inputs: [{content: [{type: "text", text}]}]
std::vector<std::string> InputTexts(Fields& fields, const Json& inputs) {
  std::vector<std::string> texts;
  if (!inputs.is_array() || inputs.empty()) {
    fields.Refuse("inputs", "expected an array of objects with `content`", Fault::kEmpty);
    return texts;
  }
  for (const Json& input : inputs.array()) {
    const std::string name = "inputs[" + std::to_string(texts.size()) + "]";
    const Json* content = input.Find("content");
    if (content == nullptr || !content->is_array() || content->array().size() != 1) {
      fields.Refuse(name, "expected an object with a `content` of one part");
      return texts;
    }
    const Json *type = content->array()[0].Find("type"), *text = content->array()[0].Find("text");
    if (type == nullptr || !type->Is("text") || text == nullptr || !text->is_string()) {
      fields.Refuse(name, "expected a part of type text: only texts are embedded");
      return texts;
    }
    texts.push_back(text->string());
  }
  return texts;
}

Body VersionBody(const EmbedRequest& request, const EmbedResult& result, const std::string& id, const char* version) {
  std::string body;
  json::Writer writer(body);
  writer.Open('{').Member("id", id);
  writer.Member("response_type", request.by_type ? "embeddings_by_type" : "embeddings_floats").Key("embeddings");
  if (request.by_type) {
    writer.Open('{');
    for (const Encoding encoding : request.encodings) {
      writer.Key(EncodingName(encoding));
      if (!AppendVectors(result, encoding, body)) return std::nullopt;
    }
    writer.Close('}');
  } else if (!AppendVectors(result, Encoding::kFloat, body)) {
    return std::nullopt;
  }
  writer.Key("texts").Open('[');
  for (const std::string& text : request.texts) writer.Text(text);
  const json::Object billed = {{"input_tokens", TotalTokens(result.reports)}};
  const json::Object meta = {{"api_version", json::Object{{"version", version}}}, {"billed_units", billed}};
  writer.Close(']').Member("meta", meta).Close('}');
  return body;
}

}  // namespace

Parsed ParseCohere(const Json& body, EmbedRequest& request) {
  Fields fields(body);
  request.model = fields.String("model").value_or("");
  if (fields.Find("images") != nullptr) fields.Refuse("images", "only texts are embedded");
  const Json* inputs = fields.Find("inputs");
  request.texts = inputs != nullptr ? InputTexts(fields, *inputs) : fields.Texts("texts");
  if (const auto type =
          fields.Choice("input_type", {"search_document", "search_query", "classification", "clustering", "image"})) {
    if (*type == "image") fields.Refuse("input_type", "only texts are embedded");
    request.purpose = *type == "search_query" ? "query" : *type == "search_document" ? "document" : *type;
  }
  if (const Json* types = fields.Find("embedding_types")) {
    request.encodings.clear();
    request.encoding_field = "embedding_types";
    for (const Json& type : types->is_array() ? types->array() : json::Array{*types}) {
      const Json one = json::Object{{"embedding_types", type}};
      Fields choice(one);
      const auto name = choice.Choice("embedding_types", {"float", "int8", "uint8", "binary", "ubinary", "base64"});
      if (!name) {
        fields.Refuse("embedding_types", "expected names of types");
        return choice.ok() ? fields.problem() : choice.problem();
      }
      for (Encoding encoding : {Encoding::kFloat, Encoding::kInt8, Encoding::kUint8, Encoding::kBinary,
                                Encoding::kUbinary, Encoding::kBase64}) {
        const bool known =
            std::find(request.encodings.begin(), request.encodings.end(), encoding) != request.encodings.end();
        if (!known && *name == EncodingName(encoding)) request.encodings.push_back(encoding);
      }
    }
    if (request.encodings.empty()) request.encodings = {Encoding::kFloat};
  }
  request.dimensions_field = "output_dimension";
  request.dimensions = fields.Count(request.dimensions_field);
  if (const auto tokens = fields.Count("max_tokens")) {
    request.most_tokens = *tokens;
    request.most_tokens_field = "max_tokens";
  }
  const auto truncate = fields.Choice("truncate", {"NONE", "START", "END"});
  if (truncate == "START") fields.Refuse("truncate", "only the end of a text can be cut; send END or NONE");
  request.truncate = truncate != "NONE";
  return fields.problem();
}

Body CohereBody(const EmbedRequest& request, const EmbedResult& result, const std::string& id) {
  return VersionBody(request, result, id, "2");
}

Parsed ParseCohereOld(const Json& body, EmbedRequest& request) {
  request.by_type = Fields(body).Find("embedding_types") != nullptr;
  return ParseCohere(body, request);
}

Body CohereOldBody(const EmbedRequest& request, const EmbedResult& result, const std::string& id) {
  return VersionBody(request, result, id, "1");
}

}  // namespace thimble::server
