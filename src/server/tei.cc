// Text Embeddings Inference of Hugging Face.

#include <limits>
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

constexpr char kIds[] = "expected an array of token ids, or an array of such arrays";

// False where one is no id.
bool ReadIds(const Json& list, std::vector<std::int32_t>& ids) {
  for (const Json& item : list.array()) {
    if (!item.is_unsigned() || item.integer() > std::numeric_limits<std::int32_t>::max()) return false;
    ids.push_back(static_cast<std::int32_t>(item.integer()));
  }
  return true;
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

Body TeiBody(const EmbedRequest&, const EmbedResult& result) {
  std::string body;
  if (!AppendVectors(result, Encoding::kFloat, body)) return std::nullopt;
  return body;
}

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
  if (!AppendVector(scores, Encoding::kFloat, false, {}, body)) return std::nullopt;
  return body;
}

Parsed ParseTeiTokenize(const Json& body, TokenizeRequest& request) {
  Fields fields(body);
  request.texts = fields.Texts("inputs");
  request.special_tokens = fields.Bool("add_special_tokens").value_or(true);
  request.prompt_name = fields.String("prompt_name");
  return fields.problem();
}

void AppendTeiTokens(std::string_view text, std::span<const std::int32_t> ids, std::span<const ByteRange> offsets,
                     std::span<const TokenText> names, std::string& body) {
  const auto begins_character = [&](std::size_t at) { return (text[at] & 0xC0) != 0x80; };
  std::size_t byte = 0, start = 0;  // A place in the text, and its characters before it.
  json::Writer writer(body);
  writer.Open('[');
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const ByteRange range = offsets[i];
    const bool special = names[i].special && range == ByteRange();
    writer.Open('{').Member("id", ids[i]).Key("text");
    writer.Text(special ? names[i].text : text.substr(range.begin, range.end - range.begin)).Member("special", special);
    Json first, last;  // Of a special token, which has no place.
    if (!special) {
      while (byte > range.begin) start -= begins_character(--byte) ? 1 : 0;
      while (byte < range.begin) start += begins_character(byte++) ? 1 : 0;
      std::size_t stop = start;
      for (std::size_t at = range.begin; at < range.end; ++at) stop += begins_character(at) ? 1 : 0;
      first = start, last = stop;
    }
    writer.Member("start", first).Member("stop", last).Close('}');
  }
  writer.Close(']');
}

Parsed ParseTeiDecode(const Json& body, DecodeRequest& request) {
  Fields fields(body);
  request.skip_special = fields.Bool("skip_special_tokens").value_or(true);
  const Json* ids = fields.Find("ids");
  if (ids == nullptr || !ids->is_array() || ids->empty()) {
    fields.Refuse("ids", kIds, Fault::kEmpty);
    return fields.problem();
  }
  if (!ids->array()[0].is_array()) {
    if (!ReadIds(*ids, request.ids.emplace_back())) fields.Refuse("ids", kIds);
    return fields.problem();
  }
  for (const Json& list : ids->array()) {
    if (!list.is_array() || !ReadIds(list, request.ids.emplace_back())) fields.Refuse("ids", kIds);
  }
  return fields.problem();
}

}  // namespace thimble::server
