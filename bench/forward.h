// The forward pass from token ids, and the floor of the machine that it is measured against.

#ifndef THIMBLE_BENCH_FORWARD_H_
#define THIMBLE_BENCH_FORWARD_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/thread_team.h"
#include "model/encoder.h"
#include "model/head.h"
#include "model/weights.h"

namespace thimble::bench {

inline double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

#if defined(__x86_64__)
// Runs an instruction on 20 registers of 512 bits for about 20 microseconds; it does `macs` multiply-accumulates.
#define THIMBLE_PEAK(name, instruction, target_features, macs)                                                \
  __attribute__((target(target_features), noinline)) inline double name() {                                   \
    constexpr int kLoops = 4000;                                                                              \
    asm volatile("vpxord %%zmm30, %%zmm30, %%zmm30\n vpxord %%zmm31, %%zmm31, %%zmm31" ::: "xmm30", "xmm31"); \
    const double begin = Now();                                                                               \
    for (int i = 0; i < kLoops; ++i) {                                                                        \
      THIMBLE_FIVE(instruction, "0", "1", "2", "3", "4")                                                      \
      THIMBLE_FIVE(instruction, "5", "6", "7", "8", "9")                                                      \
      THIMBLE_FIVE(instruction, "10", "11", "12", "13", "14")                                                 \
      THIMBLE_FIVE(instruction, "15", "16", "17", "18", "19")                                                 \
    }                                                                                                         \
    return 20.0 * kLoops * macs / (Now() - begin);                                                            \
  }
#define THIMBLE_ONE(instruction, n) asm volatile(instruction " %%zmm30, %%zmm31, %%zmm" n ::: "xmm" n);
#define THIMBLE_FIVE(instruction, a, b, c, d, e) \
  THIMBLE_ONE(instruction, a)                    \
  THIMBLE_ONE(instruction, b) THIMBLE_ONE(instruction, c) THIMBLE_ONE(instruction, d) THIMBLE_ONE(instruction, e)
// Multiply-accumulates a second of one core, of bytes and of floats.
THIMBLE_PEAK(PeakMacs, "vpdpbusd", "avx512f,avx512vnni", 64)
THIMBLE_PEAK(PeakFloatMacs, "vfmadd231ps", "avx512f", 16)
#undef THIMBLE_PEAK
#undef THIMBLE_ONE
#undef THIMBLE_FIVE
inline bool HasPeak() { return __builtin_cpu_supports("avx512vnni"); }
#else
inline double PeakMacs() { return 0; }
inline double PeakFloatMacs() { return 0; }
inline bool HasPeak() { return false; }
#endif

struct Shape {
  std::size_t sequences, tokens;
};

// Multiply-accumulates of MiniLM-L6: 10.617 M weights a token, and for each pair of tokens of a sequence two products
// of 384 numbers in each of 6 layers.
inline double Macs(const Shape& shape) {
  const double tokens = static_cast<double>(shape.sequences * shape.tokens);
  return tokens * (10.617e6 + 2.0 * 384 * 6 * static_cast<double>(shape.tokens));
}

// F1 in seconds on one core for MiniLM-L6: 50.2 us a token at 236 GMAC/s, 1.1 us for the
// rotation, and 34 ns for each pair of tokens of a sequence. `peak` is what PeakMacs says.
inline double Floor(const Shape& shape, double peak) {
  double tokens = static_cast<double>(shape.sequences * shape.tokens);
  double pairs = static_cast<double>(shape.sequences * shape.tokens * shape.tokens);
  return (50.2e-6 + 1.1e-6) * tokens * (236e9 / peak) + 0.034e-6 * pairs;
}

inline double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Sequences of one length, through the encoder and the pooling. Threads share a few sequences and take tiles of many,
// as an Embedder does with texts.
class Forward {
 public:
  // `ids` are those of all sequences, laid end to end. The weights must outlive it.
  Forward(const Weights& weights, const kernels::Kernels& kernels, const Shape& shape, std::vector<std::int32_t> ids,
          std::size_t threads)
      : weights_(weights),
        kernels_(kernels),
        shape_(shape),
        ids_(std::move(ids)),
        vectors_(shape.sequences * weights.info.dimensions),
        together_(shape.sequences < 2 * threads),
        team_(ThreadTeam::Create(threads)) {
    const std::size_t most = together_ || threads == 1 ? shape.sequences : shape.sequences / (2 * threads);
    per_tile_ = std::clamp<std::size_t>(256 / shape.tokens, 1, most);
    lengths_.assign(per_tile_, static_cast<std::uint32_t>(shape.tokens));
    const TileShape tile = {.tokens = per_tile_ * shape.tokens, .longest = shape.tokens};
    Arena measure;
    Encoder(weights, kernels, tile, measure);
    Head(weights.head, weights.head_weights, weights.info.token_dimensions, kernels, measure);
    for (std::size_t i = 0; i < threads; ++i) {
      memory_.push_back(*Mapping::Create(measure.used()));
      Arena arena(memory_.back().bytes());
      owned_.push_back(std::make_unique<Encoder>(weights, kernels, tile, arena));
      heads_.push_back(
          std::make_unique<Head>(weights.head, weights.head_weights, weights.info.token_dimensions, kernels, arena));
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

 private:
  // The tile that begins with sequence `first`, by a member and its crew.
  void Tile(std::size_t first, std::size_t member, const Crew& crew) {
    const std::size_t count = std::min(per_tile_, shape_.sequences - first), width = weights_.info.token_dimensions;
    const std::span<const std::int32_t> ids(ids_.data() + first * shape_.tokens, count * shape_.tokens);
    const float* rows = (*encoders_[member]->Encode(ids, {lengths_.data(), count}, WantedRows::kAll, crew)).data();
    for (std::size_t i = 0; i < count; ++i) {
      heads_[member]->Run(weights_.head.pooling, rows + i * shape_.tokens * width, shape_.tokens, 0, true,
                          vectors_.data() + (first + i) * weights_.info.dimensions);
    }
  }

  const Weights& weights_;
  const kernels::Kernels& kernels_;
  Shape shape_;
  std::vector<std::int32_t> ids_;
  std::vector<std::uint32_t> lengths_;  // Of a tile.
  std::vector<float> vectors_;          // [sequences][dimensions]
  bool together_;
  std::size_t per_tile_ = 1;
  std::vector<Mapping> memory_;
  std::vector<std::unique_ptr<Encoder>> owned_;
  std::vector<Encoder*> encoders_;
  std::vector<std::unique_ptr<Head>> heads_;  // One for each.
  ThreadTeam team_;
};

}  // namespace thimble::bench

#endif  // THIMBLE_BENCH_FORWARD_H_
