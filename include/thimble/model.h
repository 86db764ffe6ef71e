// A model file, mapped and checked once, then immutable.
//
//   auto model = thimble::Model::Open("all-MiniLM-L6-v2-q8.safetensors");
//   if (!model.ok()) return model.status();
//   std::printf("%zu dimensions\n", (*model)->info().dimensions);
//   auto embedder = thimble::Embedder::Create(*model);  // see embedder.h

#ifndef THIMBLE_MODEL_H_
#define THIMBLE_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/status.h"

namespace thimble {

// How the vectors of a text's tokens become one vector.
enum class Pooling {
  kMean,          // The mean over all tokens, special tokens included.
  kCls,           // The first token.
  kLast,          // The last token.
  kMax,           // The largest value of each component.
  kMeanSqrtLen,   // The sum over all tokens, divided by the square root of their number.
  kWeightedMean,  // The mean, in which the first token counts once, the second twice, and so on.
};

// "mean", "cls", "last", "max", "mean_sqrt_len_tokens" or "weightedmean".
std::string_view PoolingName(Pooling pooling);
// kInvalidArgument for any other name.
Result<Pooling> ParsePooling(std::string_view name);
// Several of them with "+" between, "cls+mean".
std::string PoolingNames(std::span<const Pooling> pooling);

// Which truncation limit applies.
enum class Truncation {
  kSentenceTransformers,  // The max_tokens of the model.
  // The model_max_length of the model. As in transformers.js, a text that is too long loses its last tokens, the
  // special ones behind it first.
  kTransformersJs,
  kTokenizers,  // The tokenizers_max_tokens of the model.
};

// "sentence-transformers", "transformers.js" or "tokenizers".
std::string_view TruncationName(Truncation truncation);
// kInvalidArgument for any other name.
Result<Truncation> ParseTruncation(std::string_view name);

// What goes before a text of some kind, for models that were trained so: "query", "query: ".
struct Prompt {
  std::string name;
  std::string text;
  bool operator==(const Prompt&) const = default;
};

// What a model file says of itself.
struct ModelInfo {
  std::string name;                  // As converted, for example "all-MiniLM-L6-v2".
  std::string dtype;                 // "fp32", "fp16", "q8", "q6", "q4" or "q4-small".
  std::size_t dimensions = 0;        // Length of a vector.
  std::size_t token_dimensions = 0;  // Length of a token's vector.
  std::size_t layers = 0;            // Transformer layers.
  std::size_t heads = 0;             // Attention heads in a layer.
  std::size_t vocabulary = 0;        // Token ids are below this.
  std::size_t positions = 0;         // Longest sequence the weights allow, in tokens.
  std::size_t max_tokens = 0;        // Where a text is truncated unless the caller says otherwise.
  // Where the tokenizer.json of the model's source truncates, at most the positions.
  std::size_t tokenizers_max_tokens = 0;
  // The model_max_length of its source's tokenizer_config.json, at most the positions; 512 where that is not known.
  std::size_t model_max_length = 0;
  // One, or several whose vectors are concatenated. Empty if the model's source states none: calls then name it.
  std::vector<Pooling> pooling;
  bool include_prompt = true;  // Whether the tokens of a prompt are pooled.
  bool normalize = true;       // Whether vectors have unit length unless the caller says otherwise.
  std::vector<std::string>
      modules;  // What stands between pooling and vector: "dense", "layer_norm", "normalize", "truncate".
  std::vector<Prompt> prompts;      // Names are distinct.
  std::string default_prompt_name;  // Which of them comes before a text unless the caller says otherwise; empty: none.
  std::size_t file_bytes = 0;       // Size of the mapped file.
  // Identity of the vector space: 32 hexadecimal digits that depend on weights, tokenizer, dtype, dimensions, pooling,
  // truncation, normalisation and the default prompt, and on nothing else. Empty for a mock, and for a file that
  // records no hash of its weights. Vectors made with another pooling, normalisation or limit than the model's own are
  // of another space.
  std::string fingerprint;
};

struct TokenizeOptions {
  std::size_t max_tokens = 0;  // Where to truncate; 0 means where `truncation` says.
  Truncation truncation = Truncation::kSentenceTransformers;
  // Which prompt of the model comes before the text; unset means its default, empty none.
  std::optional<std::string> prompt_name = {};
  // Whether there is a limit. If not, max_tokens and truncation have no effect, and a long text has more ids than an
  // Embedder takes.
  bool truncate = true;
  bool special_tokens = true;  // Whether the model's special tokens are put around the text.
  bool offsets = false;        // Whether Tokens::offsets is filled.
  // A second text, which makes "[CLS] text [SEP] pair [SEP]". Requires truncate = false: what a pair that is too long
  // loses is up to the caller.
  std::optional<std::string_view> pair = {};
};

// The bytes [begin, end) of a text.
struct ByteRange {
  std::size_t begin = 0, end = 0;
  bool operator==(const ByteRange&) const = default;
};

// Token ids of one text, or of a pair.
struct Tokens {
  std::vector<std::int32_t> ids;
  bool truncated = false;  // Whether the text had more tokens than allowed.
  // Of each token, where asked for: the bytes it stands for, of prompt and text as one string or of the pair's second
  // text. Those of a special token are {0, 0}. As in the Rust `tokenizers` library, except that the spaces beside an
  // added token are never part of it.
  std::vector<ByteRange> offsets;
  std::vector<std::uint8_t> type_ids;  // Of each token of a pair: 1 for the second text and what is behind it, else 0.
};

// A mapped model. Thread-safe: every member function may be called from any thread. Keeps the mapping until destroyed;
// truncating the file meanwhile is undefined (the system sends SIGBUS).
class Model {
 public:
  // Maps and checks the file at `path`. kNotFound or kIo when it cannot be read, kCorrupt when it is not a valid model
  // file, kUnsupported when it needs a newer thimble, kInvalidArgument when the environment variable THIMBLE_ISA names
  // an instruction set that is unknown or that this machine lacks.
  //
  // The paths "mock" and "mock-hashed" are models without a file, for tests of applications: mock has the vectors
  // v[i] = sin(h + i) / 10 of 384 dimensions, h the sum of the text's UTF-16 code units; mock-hashed has vectors of
  // hashed character n-grams, alike for texts alike, and the limits, truncation, windows and normalisation of a real
  // model. Both have the prompts "query: ", "passage: " and "document: ".
  // THIMBLE_BACKEND=mock (or mock-hashed) in the environment opens the mock whatever the path.
  static Result<std::shared_ptr<const Model>> Open(const std::string& path);

  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelInfo& info() const;
  // Length of a vector; the same as info().dimensions.
  std::size_t dimensions() const;
  // The instruction set in use, as named by THIMBLE_ISA, for example "avx512vnni"; "none" for a mock.
  std::string_view isa() const;

  // The ids of `text` (UTF-8; invalid bytes count as U+FFFD), at most as many as the options say. kInvalidArgument when
  // they allow more than info().positions or leave no room for the special tokens, for a prompt that info() lacks, and
  // for a pair that is to be truncated. kUnsupported for a mock, and for the special tokens of a pair where the model's
  // are not one [CLS] and one [SEP].
  Result<Tokens> Tokenize(std::string_view text, const TokenizeOptions& options = {}) const;

  // For thimble's own layers.
  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Model(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace thimble

#endif  // THIMBLE_MODEL_H_
