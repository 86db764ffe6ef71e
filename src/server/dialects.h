// The dialects: from the body of a request to what is to be embedded, and from vectors to the body of a reply.
//
// All are pure functions. A field that would change vectors is followed, or refused by its name; other fields that are
// not known are ignored.

#ifndef THIMBLE_SERVER_DIALECTS_H_
#define THIMBLE_SERVER_DIALECTS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/writer.h"
#include "server/fields.h"
#include "server/vector_text.h"
#include "thimble/embedder.h"
#include "thimble/model.h"
#include "thimble/vocabulary.h"

namespace thimble::server {

struct EmbedRequest {
  std::string model = {};  // As the client calls it; empty means the first.
  std::vector<std::string> texts = {};
  // What the texts are for: "query", "document", or a task by the name of a prompt. Unset means the model's default
  // prompt. The model's prompt for it is put before the texts, where it has one, and none where it has none.
  std::optional<std::string> purpose = {};
  std::optional<std::string> prompt_name = {};  // Which has to exist.
  std::optional<bool> normalize = true;         // Unset means the model's own.
  std::optional<std::size_t> dimensions = {};
  const char* dimensions_field = "dimensions";
  bool more_dimensions = false;  // Whether `dimensions` above the model's own are ignored.
  bool truncate = true;          // Otherwise a text that is too long is an error.
  // A text of more tokens is an error that names the field, which asks to cut texts there.
  std::size_t most_tokens = 0;
  std::string most_tokens_field = {};
  std::vector<Encoding> encodings = {Encoding::kFloat};
  std::string encoding_field = {};  // Which asked for them.
  bool packed = false;              // As AppendVector.
  bool by_type = true;              // Whether Cohere's reply names the types of its vectors.
  // How long the model is to stay in memory after this: 0 not at all, negative for ever.
  std::optional<std::chrono::nanoseconds> keep_alive = {};
};

struct EmbedResult {
  std::string model;              // For replies that name it.
  std::span<const float> values;  // [texts][dimensions]
  std::size_t dimensions = 0;
  CodeRange range = {};  // Of int8 and uint8.
  std::span<const Report> reports;
  std::chrono::nanoseconds total = {};
  std::chrono::nanoseconds load = {};

  std::span<const float> vector(std::size_t i) const { return values.subspan(i * dimensions, dimensions); }
};

using Parsed = std::optional<Problem>;    // Nothing where all is well.
using Body = std::optional<std::string>;  // Nothing where a vector is not finite.

// An array of all vectors, each as by AppendVector.
bool AppendVectors(const EmbedResult& result, Encoding encoding, std::string& body);

// POST /v1/embeddings, with the fields of Voyage, Jina and NIM.
Parsed ParseOpenAi(const Json& body, EmbedRequest& request);
Body OpenAiBody(const EmbedRequest& request, const EmbedResult& result);

// POST /embed and /embed_all.
Parsed ParseTei(const Json& body, EmbedRequest& request);
Body TeiBody(const EmbedRequest& request, const EmbedResult& result);
// POST /similarity: the source sentence is the last of the texts.
Parsed ParseTeiSimilarity(const Json& body, EmbedRequest& request);
// The likeness of the last vector to each of the others.
std::vector<float> TeiSimilarity(const EmbedResult& result);
Body TeiSimilarityBody(const EmbedResult& result);

// POST /tokenize.
struct TokenizeRequest {
  std::vector<std::string> texts = {};
  bool special_tokens = true;
  std::optional<std::string> prompt_name = {};
};
Parsed ParseTeiTokenize(const Json& body, TokenizeRequest& request);
// Appends the tokens of one text, which has its prompt before it: the part of the text that each stands for, and where
// it is, in characters. A special token has its name, which is in `names`, and no place.
void AppendTeiTokens(std::string_view text, std::span<const std::int32_t> ids, std::span<const ByteRange> offsets,
                     std::span<const TokenText> names, std::string& body);

// POST /decode.
struct DecodeRequest {
  std::vector<std::vector<std::int32_t>> ids = {};
  bool skip_special = true;
};
Parsed ParseTeiDecode(const Json& body, DecodeRequest& request);

// POST /api/embed and /api/embeddings.
Parsed ParseOllama(const Json& body, EmbedRequest& request);
Body OllamaBody(const EmbedRequest& request, const EmbedResult& result);
Parsed ParseOllamaOld(const Json& body, EmbedRequest& request);
Body OllamaOldBody(const EmbedResult& result);

// POST /v2/embed and /v1/embed.
Parsed ParseCohere(const Json& body, EmbedRequest& request);
Body CohereBody(const EmbedRequest& request, const EmbedResult& result, const std::string& id);
Parsed ParseCohereOld(const Json& body, EmbedRequest& request);
Body CohereOldBody(const EmbedRequest& request, const EmbedResult& result, const std::string& id);

// Requests that rank documents.
struct RerankRequest {
  std::string model = {};  // As the client calls it; empty means the only one that ranks.
  std::string query = {};
  std::vector<std::string> documents = {};
  std::size_t top_n = 0;  // 0 for all.
  bool return_documents = false;
  bool raw_scores = false;
  bool truncate = true;             // Otherwise a pair that is too long is an error.
  std::size_t document_tokens = 0;  // To which each document is to be cut; 0 for no such limit.
  std::string version = {};         // Of Cohere's interface.
  // The forms of the reply that the client may want: that of Cohere and Jina, and Voyage's.
  bool results = true, data = true;
};
struct RerankResult {
  std::string model;
  std::span<const float> scores;  // [documents]
  std::size_t tokens = 0;         // Of all pairs.
};

// POST /rerank.
Parsed ParseTeiRerank(const Json& body, RerankRequest& request);
std::string TeiRerankBody(const RerankRequest& request, const RerankResult& result);
// POST /v1/rerank and /v2/rerank, of Cohere, Jina and Voyage, whose clients are told apart by their fields, as far as
// they send any of their own.
Parsed ParseRerank(const Json& body, RerankRequest& request);
std::string RerankBody(const RerankRequest& request, const RerankResult& result, const std::string& id);

// The text of the model's prompt of that name, unset for its default one; empty where it has none.
std::string PromptText(const ModelInfo& info, const std::optional<std::string>& name);

// Tokens of all texts.
std::size_t TotalTokens(std::span<const Report> reports);

// Options of the engine for a request to a model; a problem for what the model cannot do.
Parsed ResolveOptions(const EmbedRequest& request, const ModelInfo& info, VectorOptions& options);

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_DIALECTS_H_
