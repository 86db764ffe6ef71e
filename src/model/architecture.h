// What an encoder computes, as data: sizes and independent choices, never the name of a model.

#ifndef THIMBLE_MODEL_ARCHITECTURE_H_
#define THIMBLE_MODEL_ARCHITECTURE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/reader.h"
#include "kernels/kernels.h"
#include "thimble/status.h"

namespace thimble::model {

// Of every layer.
struct Architecture {
  std::size_t hidden = 0;  // Floats of a token between layers.
  std::size_t layers = 0;
  std::size_t heads = 0;         // Of attention.
  std::size_t intermediate = 0;  // Floats of a token inside the feed-forward network.
  std::size_t positions = 0;     // Most tokens of a sequence.
  std::size_t vocabulary = 0;    // Ids are below this.
  double norm_epsilon = 0;
  kernels::Activation activation = kernels::Activation::kGelu;  // Of the feed-forward network.
  bool pairs = false;  // Whether a sequence is two texts, of which the model gives scores; otherwise it is one.
  std::optional<std::int32_t> pad_id = {};  // Below the vocabulary; set for padded positions: see PositionRows.

  std::size_t head_width() const { return hidden / heads; }
  std::size_t position_rows() const { return positions + (pad_id ? 1 : 0); }  // Of the table of positions.
};

// The rows of the table of positions that the tokens of a sequence take. Padded: those of the pad token take row 0, and
// the others rows 1, 2, ... as if no pad token were between them.
class PositionRows {
 public:
  explicit PositionRows(const Architecture& architecture)
      : pad_id_(architecture.pad_id), next_(architecture.pad_id ? 1 : 0) {}
  // That of the next token.
  std::uint32_t Next(std::int32_t id) { return pad_id_ == id ? 0 : next_++; }

 private:
  std::optional<std::int32_t> pad_id_;
  std::uint32_t next_;
};

// The choices that a model file states. The first value of a key is also meant where the key is absent, and does not
// count in a file's fingerprint; another value does, and is a field of Architecture.
struct EncoderChoice {
  char key[24], value[12];  // No pointers, which would be relocated into private memory.
};
inline constexpr std::string_view kEncoderPrefix = "encoder.";
// What a sequence is, in the file of a model for pairs: kPairInput. Without it, a text.
inline constexpr std::string_view kInputKey = "encoder.input";
inline constexpr std::string_view kPairInput = "pair";
inline constexpr EncoderChoice kEncoderChoices[] = {
    {"encoder.positions", "table"},     // A row for each position, added to that of the word.
    {"encoder.positions", "padded"},    // The same, by PositionRows; "encoder.pad_id" is the pad token's id.
    {"encoder.attention", "full"},      // Softmax over all tokens of the sequence, each head with keys of its own.
    {"encoder.feed_forward", "plain"},  // W2 activation(W1 x + b1) + b2.
    {"encoder.norm", "layer_norm"},     // (x - mean) / sqrt(variance + epsilon) * gamma + beta.
    {"encoder.norm_place", "post"},     // x = norm(x + f(x)), f attention or the feed-forward network.
};

// Limits far above any model, so that sizes computed from them cannot overflow.
inline constexpr std::uint64_t kMaxHidden = 1 << 14;
inline constexpr std::uint64_t kMaxIntermediate = 1 << 16;
inline constexpr std::uint64_t kMaxLayers = 128;
inline constexpr std::uint64_t kMaxPositions = 1 << 16;
inline constexpr std::uint64_t kMaxVocabulary = 1 << 24;

// How a size is spelled somewhere, and its range there.
struct NamedSize {
  char key[24];
  std::size_t Architecture::* size;
  std::uint64_t low, high;
};

// `code` unless the kernels can run these sizes; `path` names where they are from.
Status CheckSizes(const Architecture& architecture, const std::string& path, Code code);

// The metadata of a model file that describe an encoder; docs/format.md has them.
std::vector<std::pair<std::string, std::string>> DescriptionOf(const Architecture& architecture);
// Reads them. kCorrupt for what is missing or out of range, kUnsupported for a value or a choice that this build does
// not know.
Result<Architecture> ReadArchitecture(const format::Reader& reader);
// Whether an entry whose key begins with kEncoderPrefix states what is meant where the key is absent.
bool IsDefaultChoice(std::string_view key, std::string_view value);

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_ARCHITECTURE_H_
