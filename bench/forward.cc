// The forward pass of a real model against the floor of the machine, both measured in the same run.
//
//   bench_forward MODEL...
//
// Prints, for each model and shape: microseconds (median and least), the floor F1, and the median of their ratio. One
// core, token ids given, tokenizer excluded. F1 is the time that the multiply-accumulates and the element-wise work
// take when nothing overlaps and nothing waits, for the 384-wide models with 6 layers, at the peak of the moment: a
// loop of register-only dot products runs before and after every sample.

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "format/reader.h"
#include "model/encoder.h"
#include "model/pooling.h"
#include "model/weights.h"

namespace thimble {
namespace {

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

#if defined(__x86_64__)
// Multiply-accumulates a second of vpdpbusd on 512-bit registers, over about 20 microseconds.
__attribute__((target("avx512f,avx512vnni"), noinline)) double PeakMacs() {
  constexpr int kLoops = 4000, kInstructions = 20, kMacs = 64;
  asm volatile("vpxord %%zmm30, %%zmm30, %%zmm30\n vpxord %%zmm31, %%zmm31, %%zmm31" ::: "xmm30", "xmm31");
  double begin = Now();
  for (int i = 0; i < kLoops; ++i) {
#define THIMBLE_DOT(n) asm volatile("vpdpbusd %%zmm30, %%zmm31, %%zmm" #n ::: "xmm" #n);
    // clang-format off
    THIMBLE_DOT(0) THIMBLE_DOT(1) THIMBLE_DOT(2) THIMBLE_DOT(3) THIMBLE_DOT(4)
    THIMBLE_DOT(5) THIMBLE_DOT(6) THIMBLE_DOT(7) THIMBLE_DOT(8) THIMBLE_DOT(9)
    THIMBLE_DOT(10) THIMBLE_DOT(11) THIMBLE_DOT(12) THIMBLE_DOT(13) THIMBLE_DOT(14)
    THIMBLE_DOT(15) THIMBLE_DOT(16) THIMBLE_DOT(17) THIMBLE_DOT(18) THIMBLE_DOT(19)
    // clang-format on
#undef THIMBLE_DOT
  }
  return 1.0 * kLoops * kInstructions * kMacs / (Now() - begin);
}
bool HasPeak() { return __builtin_cpu_supports("avx512vnni"); }
#else
double PeakMacs() { return 0; }
bool HasPeak() { return false; }
#endif

struct Shape {
  std::size_t sequences, tokens;
};

// F1 in seconds for MiniLM-L6 (10.617 M weights a token): 50.2 us a token at 236 GMAC/s, 1.1 us for the rotation, and
// 34 ns for each pair of tokens of a sequence.
double Floor(const Shape& shape, double peak) {
  double tokens = static_cast<double>(shape.sequences * shape.tokens);
  double pairs = static_cast<double>(shape.sequences * shape.tokens * shape.tokens);
  return (50.2e-6 + 1.1e-6) * tokens * (236e9 / peak) + 0.034e-6 * pairs;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

class Forward {
 public:
  Forward(const Weights& weights, const kernels::Kernels& kernels, const Shape& shape)
      : weights_(weights), kernels_(kernels), out_(weights.hidden) {
    TileShape tile = {.tokens = std::min<std::size_t>(256, shape.sequences * shape.tokens), .longest = shape.tokens};
    tile.tokens = std::max(tile.tokens, shape.tokens);
    Arena measure;
    Encoder(weights, kernels, tile, measure);
    memory_ = *Mapping::Create(measure.used());
    Arena arena(memory_.bytes());
    encoder_ = std::make_unique<Encoder>(weights, kernels, tile, arena);
    sequences_ = shape.sequences;
    per_tile_ = tile.tokens / shape.tokens;
    std::mt19937 random(1);
    std::uniform_int_distribution<std::int32_t> id(0, static_cast<std::int32_t>(weights.info.vocabulary) - 1);
    for (std::size_t i = 0; i < shape.sequences * shape.tokens; ++i) ids_.push_back(id(random));
    lengths_.assign(shape.sequences, static_cast<std::uint32_t>(shape.tokens));
  }

  void Run() {
    for (std::size_t i = 0; i < sequences_; i += per_tile_) {
      std::size_t count = std::min(per_tile_, sequences_ - i), tokens = lengths_[0];
      std::span<const std::int32_t> ids(ids_.data() + i * tokens, count * tokens);
      const float* rows = (*encoder_->Encode(ids, {lengths_.data(), count})).data();
      for (std::size_t j = 0; j < count; ++j) {
        Pool(kernels_, weights_.info.pooling, true, rows + j * tokens * weights_.hidden, tokens, weights_.hidden,
             out_.data());
      }
    }
  }

 private:
  const Weights& weights_;
  const kernels::Kernels& kernels_;
  Mapping memory_;
  std::unique_ptr<Encoder> encoder_;
  std::size_t sequences_, per_tile_;
  std::vector<std::int32_t> ids_;
  std::vector<std::uint32_t> lengths_;
  std::vector<float> out_;
};

void Measure(const Weights& weights, const kernels::Kernels& kernels, const Shape& shape) {
  Forward forward(weights, kernels, shape);
  for (int i = 0; i < 3; ++i) forward.Run();
  double begin = Now();
  forward.Run();
  const int inner = std::max(1, static_cast<int>(2e-3 / (Now() - begin)));
  constexpr int kSamples = 41;
  std::vector<double> times, floors, ratios;
  const bool peak = HasPeak() && weights.int8;
  for (int sample = 0; sample < kSamples; ++sample) {
    double before = peak ? PeakMacs() : 0;
    begin = Now();
    for (int i = 0; i < inner; ++i) forward.Run();
    double time = (Now() - begin) / inner;
    times.push_back(time);
    if (!peak) continue;
    floors.push_back(Floor(shape, std::max(before, PeakMacs())));
    ratios.push_back(time / floors.back());
  }
  std::string name = (shape.sequences > 1 ? std::to_string(shape.sequences) + "x" : "") + std::to_string(shape.tokens);
  double least = *std::min_element(times.begin(), times.end());
  std::printf("%8s %10.0f %10.0f", name.c_str(), Median(times) * 1e6, least * 1e6);
  if (peak) std::printf(" %10.0f %7.2f", Median(floors) * 1e6, Median(ratios));
  std::printf("\n");
}

int Main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: bench_forward MODEL...\n");
    return 2;
  }
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(0, &cpus);
  sched_setaffinity(0, sizeof cpus, &cpus);
  auto kernels = kernels::ChooseKernels();
  if (!kernels.ok()) {
    std::fprintf(stderr, "bench_forward: %s\n", kernels.status().message().c_str());
    return 1;
  }
  for (int i = 1; i < count; ++i) {
    auto reader = format::Reader::Open(arguments[i]);
    auto weights = reader.ok() ? Weights::Load(*reader) : Result<Weights>(reader.status());
    if (!weights.ok()) {
      std::fprintf(stderr, "bench_forward: %s\n", weights.status().message().c_str());
      return 1;
    }
    std::printf("%s %s, %s, one core\n", weights->info.name.c_str(), weights->info.dtype.c_str(),
                std::string((*kernels)->name).c_str());
    std::printf("%8s %10s %10s %10s %7s\n", "tokens", "median us", "least us", "floor us", "ratio");
    for (Shape shape : {Shape{1, 8}, {1, 16}, {1, 32}, {1, 64}, {1, 128}, {1, 256}, {8, 16}, {32, 16}}) {
      Measure(*weights, **kernels, shape);
    }
  }
  return 0;
}

}  // namespace
}  // namespace thimble

int main(int argc, char** argv) { return thimble::Main(argc, argv); }
