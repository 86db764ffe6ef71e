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

bool AppendVectors(const EmbedResult& result, Encoding encoding, std::string& body) {
  body += '[';
  for (std::size_t i = 0; i < result.reports.size(); ++i) {
    if (i > 0) body += ',';
    if (!AppendVector(result.values.subspan(i * result.dimensions, result.dimensions), encoding, false, body)) {
      return false;
    }
  }
  body += ']';
  return true;
}

Body VersionBody(const EmbedRequest& request, const EmbedResult& result, const std::string& id, char version) {
  std::string body = "{\"id\":" + JsonString(id) + ",\"response_type\":\"embeddings_";
  if (request.by_type) {
    body += "by_type\",\"embeddings\":{";
    for (std::size_t k = 0; k < request.encodings.size(); ++k) {
      body += (k > 0 ? ",\"" : "\"") + std::string(EncodingName(request.encodings[k])) + "\":";
      if (!AppendVectors(result, request.encodings[k], body)) return std::nullopt;
    }
    body += '}';
  } else {
    body += "floats\",\"embeddings\":";
    if (!AppendVectors(result, Encoding::kFloat, body)) return std::nullopt;
  }
  body += ",\"texts\":[";
  for (std::size_t i = 0; i < request.texts.size(); ++i) body += (i > 0 ? "," : "") + JsonString(request.texts[i]);
  body += "],\"meta\":{\"api_version\":{\"version\":\"" + std::string(1, version) +
          "\"},\"billed_units\":{\"input_tokens\":" + std::to_string(TotalTokens(result.reports)) + "}}}";
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
  request.dimensions = fields.Count("output_dimension");
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
  return VersionBody(request, result, id, '2');
}

Parsed ParseCohereOld(const Json& body, EmbedRequest& request) {
  request.by_type = Fields(body).Find("embedding_types") != nullptr;
  return ParseCohere(body, request);
}

Body CohereOldBody(const EmbedRequest& request, const EmbedResult& result, const std::string& id) {
  return VersionBody(request, result, id, '1');
}

}  // namespace thimble::server
