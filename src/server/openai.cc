// OpenAI's embeddings, and the fields that Voyage, Jina and NIM add to them.

#include <cctype>

#include "server/dialects.h"

namespace thimble::server {
namespace {

// Jina's input may be objects with one field.
std::vector<std::string> InputTexts(Fields& fields) {
  const Json* input = fields.Find("input");
  if (input == nullptr || !input->is_array() || input->empty() || !input->array()[0].is_object()) {
    return fields.Texts("input");
  }
  std::vector<std::string> texts;
  for (const Json& item : input->array()) {
    const Json* text = item.Find("text");
    if (text != nullptr && text->is_string() && item.object().size() == 1) {
      texts.push_back(text->string());
      continue;
    }
    fields.Refuse("input[" + std::to_string(texts.size()) + "]",
                  "expected a string or an object with the one field `text`: only texts are embedded");
    break;
  }
  return texts;
}

// NIM's truncate is a word, Jina's and Voyage's a boolean.
void ReadTruncation(Fields& fields, EmbedRequest& request) {
  const Json* truncate = fields.Find("truncate");
  if (truncate != nullptr && truncate->is_string()) {
    const auto choice = fields.Choice("truncate", {"NONE", "START", "END"});
    if (choice == "START") fields.Refuse("truncate", "only the end of a text can be cut; send END or NONE");
    request.truncate = choice != "NONE";
  } else if (const auto value = fields.Bool("truncate")) {
    request.truncate = *value;
  }
  if (const auto value = fields.Bool("truncation")) request.truncate = *value;
  if (fields.Choice("truncation_direction", {"right", "left"}) == "left") {
    fields.Refuse("truncation_direction", "only the end of a text can be cut; send right");
  }
}

void ReadPurpose(Fields& fields, EmbedRequest& request) {
  if (const auto type = fields.Choice("input_type", {"query", "document", "passage"})) {
    request.purpose = *type == "query" ? "query" : "document";
  }
  if (const auto task = fields.String("task")) {
    request.purpose = *task == "retrieval.query" ? "query" : *task == "retrieval.passage" ? "document" : *task;
  }
  request.prompt_name = fields.String("prompt_name");
}

Encoding EncodingOf(const std::string& name) {
  for (Encoding encoding :
       {Encoding::kBase64, Encoding::kInt8, Encoding::kUint8, Encoding::kBinary, Encoding::kUbinary}) {
    if (name == EncodingName(encoding)) return encoding;
  }
  return Encoding::kFloat;
}

void ReadEncoding(Fields& fields, EmbedRequest& request) {
  const char* field = fields.Find("embedding_type") != nullptr ? "embedding_type" : "encoding_format";
  const auto format = fields.Choice(field, {"float", "base64", "int8", "uint8", "binary", "ubinary"});
  const auto dtype = fields.Choice("output_dtype", {"float", "int8", "uint8", "binary", "ubinary"});
  Encoding encoding = EncodingOf(format.value_or("float"));
  if (dtype && *dtype != "float") {
    request.packed = encoding == Encoding::kBase64;
    if (encoding != Encoding::kBase64 && encoding != Encoding::kFloat) {
      fields.Refuse("output_dtype", "conflicts with another format; send one of them");
    }
    encoding = EncodingOf(*dtype);
  }
  request.encodings = {encoding};
  request.encoding_field = dtype ? "output_dtype" : field;
}

}  // namespace

Parsed ParseOpenAi(const Json& body, EmbedRequest& request) {
  Fields fields(body);
  request.texts = InputTexts(fields);
  request.model = fields.String("model").value_or("");
  ReadEncoding(fields, request);
  if (fields.Find("output_dimension") != nullptr) {
    if (fields.Find("dimensions") != nullptr) {
      fields.Refuse("output_dimension", "is Voyage's name for `dimensions`; send one of them");
    }
    request.dimensions_field = "output_dimension";
  }
  request.dimensions = fields.Count(request.dimensions_field);
  ReadPurpose(fields, request);
  ReadTruncation(fields, request);
  for (const char* name : {"normalized", "normalize"}) {
    if (const auto value = fields.Bool(name)) request.normalize = *value;
  }
  if (fields.Bool("late_chunking").value_or(false)) {
    fields.Refuse("late_chunking", "texts are embedded one by one; send false");
  }
  for (std::size_t i = 0; i < request.texts.size(); ++i) {
    if (request.texts[i].empty()) {
      fields.Refuse(request.texts.size() == 1 ? "input" : "input[" + std::to_string(i) + "]",
                    "cannot be an empty string", Fault::kEmpty);
    }
  }
  return fields.problem();
}

Body OpenAiBody(const EmbedRequest& request, const EmbedResult& result) {
  std::string body;
  json::Writer writer(body);
  writer.Open('{').Member("object", "list").Key("data").Open('[');
  for (std::size_t i = 0; i < result.reports.size(); ++i) {
    writer.Open('{').Member("object", "embedding").Member("index", i).Key("embedding");
    if (!AppendVector(result.vector(i), request.encodings[0], request.packed, result.range, body)) return std::nullopt;
    writer.Close('}');
  }
  const std::size_t tokens = TotalTokens(result.reports);
  const json::Object usage = {{"prompt_tokens", tokens}, {"total_tokens", tokens}};
  writer.Close(']').Member("model", result.model).Member("usage", usage).Close('}');
  return body;
}

}  // namespace thimble::server
