// A model file, loaded and checked once, then immutable.
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

#include "thimble/export.h"
#include "thimble/status.h"

namespace thimble::runtime {
class Engine;
}

namespace thimble::inline v0_1 {

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
THIMBLE_API std::string_view PoolingName(Pooling pooling);
// kInvalidArgument for any other name.
THIMBLE_API Result<Pooling> ParsePooling(std::string_view name);
// Several names separated by "+", for example "cls+mean".
THIMBLE_API std::string PoolingNames(std::span<const Pooling> pooling);

// Which truncation limit applies.
enum class Truncation {
  kSentenceTransformers,  // The max_tokens of the model.
  // The model_max_length of the model. As in transformers.js, a text that is too long loses its last tokens, the
  // special ones behind it first.
  kTransformersJs,
  kTokenizers,  // The tokenizers_max_tokens of the model.
};

// "sentence-transformers", "transformers.js" or "tokenizers".
THIMBLE_API std::string_view TruncationName(Truncation truncation);
// kInvalidArgument for any other name.
THIMBLE_API Result<Truncation> ParseTruncation(std::string_view name);

// A text that the model expects before texts of some kind, for example "query" with the text "query: ".
struct Prompt {
  std::string name;
  std::string text;
  bool operator==(const Prompt&) const = default;
};

// Properties of a model, as its file states them.
struct ModelInfo {
  std::string name;                  // Name given at conversion, for example "all-MiniLM-L6-v2".
  std::string dtype;                 // "fp32", "fp16", "q8", "q6", "q4" or "q4-small".
  std::size_t dimensions = 0;        // Length of a vector.
  std::size_t token_dimensions = 0;  // Length of a token's vector.
  std::size_t layers = 0;            // Transformer layers.
  std::size_t heads = 0;             // Attention heads in a layer.
  std::size_t vocabulary = 0;        // Token ids are below this.
  std::size_t positions = 0;         // Longest sequence the weights allow, in tokens.
  std::size_t max_tokens = 0;        // Default truncation limit.
  // The truncation limit of the tokenizer.json of the model's source, at most the positions.
  std::size_t tokenizers_max_tokens = 0;
  // The model_max_length of the tokenizer_config.json of the model's source, at most the positions; 512 if unknown.
  std::size_t model_max_length = 0;
  // One, or several whose vectors are concatenated. Empty if the source states none; then each call must set it.
  std::vector<Pooling> pooling;
  bool include_prompt = true;  // Whether the tokens of a prompt are pooled.
  bool normalize = true;       // Whether vectors have unit length by default.
  std::vector<std::string>
      modules;                      // Steps between pooling and vector: "dense", "layer_norm", "normalize", "truncate".
  std::vector<Prompt> prompts;      // Names are distinct.
  std::string default_prompt_name;  // Name of the default prompt; empty if there is none.
  std::size_t file_bytes = 0;       // Size of the file.
  // Identity of the vector space: 32 hexadecimal digits that depend only on weights, tokenizer, dtype, dimensions,
  // pooling, truncation, normalisation and the default prompt. Empty for a mock, and for a file that does not record a
  // hash of its weights. Vectors with another pooling, normalisation or limit than the model's own belong to another
  // space.
  std::string fingerprint;
};

struct TokenizeOptions {
  std::size_t max_tokens = 0;  // Truncation limit; 0 means that of `truncation`.
  Truncation truncation = Truncation::kSentenceTransformers;
  // Name of the prompt before the text; unset means the model's default, an empty string none.
  std::optional<std::string> prompt_name = {};
  // Whether there is a limit. Without one, max_tokens and truncation have no effect, and a long text has more ids than
  // an Embedder accepts.
  bool truncate = true;
  bool special_tokens = true;  // Whether the ids include the special tokens around the text.
  bool offsets = false;        // Whether Tokens::offsets is filled.
  // A second text: the ids are those of "[CLS] text [SEP] pair [SEP]". Requires truncate = false, because the caller
  // decides what a long pair loses.
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
  // If requested, the bytes of each token in prompt and text as one string, or in the second text of a pair; {0, 0} for
  // a special token. As in the Rust `tokenizers` library, with these exceptions: the range of an added token never
  // includes the spaces beside it; the library swaps the places of reordered combining marks when it drops one of them;
  // and with Unigram it moves the places behind characters that the charsmap removes, at the start of a text or behind
  // one that became several, and those of composed marks that are several themselves. More than 1024 bytes of unknown
  // characters that become bytes have the places of parts.
  std::vector<ByteRange> offsets;
  std::vector<std::uint8_t> type_ids;  // For a pair, 1 for each token of the second text and after it, 0 for others.
};

// How the file of a model gets into memory.
enum class Load {
  kMap,  // Mapped: all processes share its pages. The file must not be written to; replace it by renaming a new one.
  // Read once into private memory: for files that may change, and file systems that do not map files.
  kCopy,
};

// "map" or "copy".
THIMBLE_API std::string_view LoadName(Load load);
// kInvalidArgument for any other name.
THIMBLE_API Result<Load> ParseLoad(std::string_view name);

// How a model is opened. A mock ignores it.
struct OpenOptions {
  Load load = Load::kMap;
  // Whether the weights must have the SHA-256 that the file records. Reads the whole file, once in a process unless it
  // was written to since, or less than two seconds before.
  bool verify = false;
};

// A model in memory. Thread-safe: every member function may be called from any thread.
//
// If a mapped file is written to, calls fail with kCorrupt from then on. A call that runs at that moment may read
// anything, and if the file is truncated then, the system sends SIGBUS, as it does if the disk fails. Removing the
// file, or renaming another over it, does not affect an open model.
class THIMBLE_API Model {
 public:
  // Loads and validates the file at `path`. kNotFound or kIo if it cannot be read, kCorrupt if it is not a valid model
  // file or does not have its recorded hash, kOutOfMemory if there is no room for a copy, kUnsupported if it needs a
  // newer thimble or records no hash to verify, kInvalidArgument if the environment variable THIMBLE_ISA names an
  // instruction set that is unknown or that this machine does not support.
  //
  // The paths "mock" and "mock-hashed" are models without a file, for tests of applications. mock has the vectors v[i]
  // = sin(h + i) / 10 of 384 dimensions, where h is the sum of the UTF-16 code units of the text. mock-hashed has
  // vectors of hashed character n-grams, which are similar for similar texts, and the limits, truncation, windows and
  // normalisation of a real model. Both have the prompts "query: ", "passage: " and "document: ".
  // THIMBLE_BACKEND=mock (or mock-hashed) in the environment opens the mock for every path.
  static Result<std::shared_ptr<const Model>> Open(const std::string& path);
  static Result<std::shared_ptr<const Model>> Open(const std::string& path, const OpenOptions& options);

  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelInfo& info() const;
  // Length of a vector; the same as info().dimensions.
  std::size_t dimensions() const;
  // The instruction set in use, as named by THIMBLE_ISA, for example "avx512vnni"; "none" for a mock.
  std::string_view isa() const;
  // The dtype whose matrix products are fastest with that instruction set: "q4" where products of bytes with small
  // codes are cheaper than those of two bytes, else "q8"; "none" for a mock.
  std::string_view fastest_dtype() const;

  // The ids of `text` (UTF-8; invalid bytes count as U+FFFD), up to the limit in the options. kInvalidArgument if the
  // limit exceeds info().positions or leaves no room for special tokens, for a prompt that info() does not list, and
  // for a pair with a limit. kUnsupported for a mock, and for the special tokens of a pair if the model does not put
  // one [CLS] before a text and one [SEP] after it. kCorrupt if the mapped file was written to.
  Result<Tokens> Tokenize(std::string_view text, const TokenizeOptions& options = {}) const;

  // For thimble's own layers.
  const runtime::Engine& engine() const { return *engine_; }

 private:
  explicit Model(std::unique_ptr<const runtime::Engine> engine);
  std::unique_ptr<const runtime::Engine> engine_;
};

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_MODEL_H_
