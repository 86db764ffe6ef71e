// What an encoder computes, as data: sizes and independent choices, never the name of a model.

#ifndef THIMBLE_MODEL_ARCHITECTURE_H_
#define THIMBLE_MODEL_ARCHITECTURE_H_

#include <cstddef>
#include <cstdint>
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

  std::size_t head_width() const { return hidden / heads; }
};

// Choices that have one value so far, which a model file states and which one without the key means. A second value
// is a field of Architecture, and part of a file's fingerprint.
struct EncoderChoice {
  char key[24], value[12];  // No pointers, which would be relocated into private memory.
};
inline constexpr std::string_view kEncoderPrefix = "encoder.";
// What a sequence is, in the file of a model for pairs: kPairInput. Without it, a text.
inline constexpr std::string_view kInputKey = "encoder.input";
inline constexpr std::string_view kPairInput = "pair";
inline constexpr EncoderChoice kEncoderChoices[] = {
    {"encoder.positions", "table"},     // A row for each position, added to that of the word.
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

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_ARCHITECTURE_H_
