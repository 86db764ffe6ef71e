// The forward pass from token ids, and the floor of the machine that it is measured against.

#ifndef THIMBLE_BENCH_FORWARD_H_
#define THIMBLE_BENCH_FORWARD_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/thread_team.h"
#include "bench/peak.h"
#include "model/encoder.h"
#include "model/head.h"
#include "model/weights.h"

namespace thimble::bench {

struct Shape {
  std::size_t sequences, tokens;
};

// The least time that a forward pass can take on one core if nothing overlaps and nothing waits: every product at the
// peak of its own instructions, and for integer models the element-wise work, which takes time as F1 has it.
//
// F1 is the floor of MiniLM-L6 on a core of 236 GMAC/s (the project's first measurements): 45.0 us a token for products
// with weights, 6.3 for element-wise work, rotation included; for each pair of tokens of a sequence 19.5 ns for
// products and 14.5 for element-wise work. Element-wise work follows the layers times their width, that of pairs the
// layers times their heads, and both the peak of the products of q8.
//
// Of a cross-encoder the last layer has keys and values of all tokens, and the rest of the first token alone, with no
// element-wise work; the products of the head follow, unless their peak is not known. For a single text those are
// products of one row, whose weights take longer to come out of the cache or memory than to multiply: Reading() is what
// that adds, at the rate at which the core reads other weights of the model at that moment.
class Floor {
 public:
  Floor(const model::Weights& weights, std::string_view isa) : peaks_(PeaksOf(isa)), int8_(weights.int8) {
    const model::Architecture& a = weights.program.architecture;
    const std::size_t whole = a.pairs ? a.layers - 1 : a.layers;
    for (std::size_t layer = 0; layer < a.layers; ++layer) {
      for (const model::Step& step : weights.program.layer) {
        if (step.kind == model::Step::Kind::kNorm) continue;
        const kernels::Matrix& m = weights.matrix(layer, step);
        const double macs = static_cast<double>(m.outputs * m.inputs);
        const bool attention = step.kind == model::Step::Kind::kAttention;
        const double share = layer < whole ? 1 : attention ? 2.0 / 3 : 0;  // Of all tokens.
        token_macs_[static_cast<std::size_t>(m.format)] += share * macs;
        text_macs_[static_cast<std::size_t>(m.format)] += (1 - share) * macs;
        // The last layer has no format of less than a byte.
        const double bytes = m.format == kernels::WeightFormat::kF32   ? 4
                             : m.format == kernels::WeightFormat::kF16 ? 2
                                                                       : 1;
        text_bytes_ += (1 - share) * macs * bytes;
        if (layer == 0 && m.outputs > m.inputs) sample_ = &m;
      }
    }
    if (a.pairs && peaks_.floats != nullptr) {
      for (const model::HeadModule& module : weights.head.modules) {
        const bool dense = module.kind == model::HeadModule::Kind::kDense;
        const auto macs = static_cast<double>(module.outputs * module.inputs);
        if (dense) text_macs_[kFloats] += macs, text_bytes_ += 4 * macs;
      }
    }
    const double width = static_cast<double>(whole * a.hidden);
    pair_macs_ = 2 * width;
    first_macs_ = 2 * static_cast<double>((a.layers - whole) * a.hidden);
    size_ = width / (6 * 384);
    scores_ = static_cast<double>(whole * a.heads) / (6 * 12);
  }

  // Whether the peaks of all products are known.
  bool known() const {
    for (std::size_t i = 0; i < token_macs_.size(); ++i) {
      if (token_macs_[i] > 0 && peaks_.Of(static_cast<kernels::WeightFormat>(i)) == nullptr) return false;
    }
    return peaks_.Of(Attention()) != nullptr;
  }

  // Seconds, at the peaks of this moment.
  double Measure(const Shape& shape) const {
    const double texts = static_cast<double>(shape.sequences), tokens = texts * static_cast<double>(shape.tokens);
    const double pairs = tokens * static_cast<double>(shape.tokens);
    const double attention = peaks_.Of(Attention())();
    double seconds = (pairs * pair_macs_ + tokens * first_macs_) / attention;
    for (std::size_t i = 0; i < token_macs_.size(); ++i) {
      const auto format = static_cast<kernels::WeightFormat>(i);
      const double macs = tokens * token_macs_[i] + texts * text_macs_[i];
      if (macs > 0) seconds += macs / (format == Attention() ? attention : peaks_.Of(format)());
    }
    if (int8_) seconds += (size_ * 6.3e-6 * tokens + scores_ * 14.5e-9 * pairs) * (236e9 / attention);
    return seconds;
  }

  // Seconds to add for weights that only rows of texts take, at the rate of this moment: after a forward pass, which
  // leaves the weights of the first layer where it will find those of the last.
  double Reading(const Shape& shape) const {
    if (text_bytes_ == 0) return 0;
    double products = 0;
    for (std::size_t i = 0; i < text_macs_.size(); ++i) {
      const double macs = static_cast<double>(shape.sequences) * text_macs_[i];
      if (macs > 0) products += macs / peaks_.Of(static_cast<kernels::WeightFormat>(i))();
    }
    const std::size_t size = sample_->outputs * sample_->inputs / 2;  // So much at least, in every format.
    return std::max(0.0, text_bytes_ / ReadRate(sample_->weights, size) - products);
  }

 private:
  static constexpr auto kFloats = static_cast<std::size_t>(kernels::WeightFormat::kF32);
  // Keys and values are products of bytes, or of floats.
  kernels::WeightFormat Attention() const { return int8_ ? kernels::WeightFormat::kQ8 : kernels::WeightFormat::kF32; }

  Peaks peaks_;
  bool int8_;
  std::array<double, 5> token_macs_ = {}, text_macs_ = {};  // For a token and for a text, by format.
  double text_bytes_ = 0;                                   // Of the weights of text_macs_.
  const kernels::Matrix* sample_ = nullptr;                 // Of the first layer.
  double pair_macs_ = 0;                                    // For each two tokens of a sequence.
  double first_macs_ = 0;                                   // For each token, beside the first of its sequence.
  double size_ = 0, scores_ = 0;                            // Relative to MiniLM-L6: widths and heads of whole layers.
};

inline double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Sequences of one length, through the encoder and the head, as an Embedder or a Reranker runs texts: threads share a
// few sequences and take tiles of many. A quarter of a pair's tokens is the query.
class Forward {
 public:
  // `ids` are those of all sequences, laid end to end. The weights must outlive it.
  Forward(const model::Weights& weights, const kernels::Kernels& kernels, const Shape& shape,
          std::vector<std::int32_t> ids, std::size_t threads)
      : weights_(weights),
        shape_(shape),
        ids_(std::move(ids)),
        vectors_(shape.sequences * weights.info.dimensions),
        together_(shape.sequences < 2 * threads),
        team_(base::ThreadTeam::Create(threads)) {
    const std::size_t most = together_ || threads == 1 ? shape.sequences : shape.sequences / (2 * threads);
    per_tile_ = std::clamp<std::size_t>(256 / shape.tokens, 1, most);
    lengths_.assign(per_tile_, static_cast<std::uint32_t>(shape.tokens));
    if (pairs()) seconds_.assign(per_tile_, static_cast<std::uint32_t>(shape.tokens / 4));
    const model::TileShape tile = {.tokens = per_tile_ * shape.tokens, .longest = shape.tokens};
    base::Arena measure;
    model::Encoder(weights, kernels, tile, measure);
    model::Head(weights.head, weights.head_weights, weights.info.token_dimensions, kernels, measure);
    for (std::size_t i = 0; i < threads; ++i) {
      memory_.push_back(*base::Mapping::Create(measure.used()));
      base::Arena arena(memory_.back().bytes());
      owned_.push_back(std::make_unique<model::Encoder>(weights, kernels, tile, arena));
      heads_.push_back(std::make_unique<model::Head>(weights.head, weights.head_weights, weights.info.token_dimensions,
                                                     kernels, arena));
      encoders_.push_back(owned_.back().get());
    }
  }

  void Run() {
    if (together_) {
      for (std::size_t i = 0; i < shape_.sequences; i += per_tile_) Tile(i, 0, {&team_, encoders_});
      return;
    }
    std::atomic<std::size_t> next = 0;
    team_.Run([&](std::size_t member) {
      for (std::size_t i; (i = next.fetch_add(per_tile_)) < shape_.sequences;) Tile(i, member, {});
    });
  }

  // Of the last run, [sequences][dimensions].
  const std::vector<float>& vectors() const { return vectors_; }

 private:
  bool pairs() const { return weights_.program.architecture.pairs; }

  // The tile that begins with sequence `first`, by a member and its crew.
  void Tile(std::size_t first, std::size_t member, const model::Crew& crew) {
    const std::size_t count = std::min(per_tile_, shape_.sequences - first), width = weights_.info.token_dimensions;
    const std::span<const std::int32_t> ids(ids_.data() + first * shape_.tokens, count * shape_.tokens);
    const auto wanted = pairs() ? model::WantedRows::kFirst : model::WantedRows::kAll;
    const std::span<const std::uint32_t> seconds(seconds_.data(), pairs() ? count : 0);
    const float* rows = (*encoders_[member]->Encode(ids, {lengths_.data(), count}, wanted, crew, seconds)).data();
    const std::size_t tokens = pairs() ? 1 : shape_.tokens;  // Of a sequence, with rows.
    for (std::size_t i = 0; i < count; ++i) {
      heads_[member]->Run(weights_.head.pooling, rows + i * tokens * width, tokens, 0, !pairs(),
                          vectors_.data() + (first + i) * weights_.info.dimensions);
    }
  }

  const model::Weights& weights_;
  Shape shape_;
  std::vector<std::int32_t> ids_;
  std::vector<std::uint32_t> lengths_;  // Of a tile.
  std::vector<std::uint32_t> seconds_;  // Of a tile of pairs: their tokens before the document's.
  std::vector<float> vectors_;          // [sequences][dimensions]
  bool together_;
  std::size_t per_tile_ = 1;
  std::vector<base::Mapping> memory_;
  std::vector<std::unique_ptr<model::Encoder>> owned_;
  std::vector<model::Encoder*> encoders_;
  std::vector<std::unique_ptr<model::Head>> heads_;  // One for each.
  base::ThreadTeam team_;
};

}  // namespace thimble::bench

#endif  // THIMBLE_BENCH_FORWARD_H_
