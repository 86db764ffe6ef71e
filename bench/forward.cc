// The forward pass of a real model against the floor of the machine, both measured in the same run.
//
//   bench_forward MODEL...
//
// Prints, for each model and shape: microseconds (median and least), the floor, and the median of the ratio to it. One
// core, token ids given, tokenizer excluded. For the 384-wide models with 6 layers the floor of integer models is F1,
// the time that the multiply-accumulates and the element-wise work take when nothing overlaps and nothing waits; that
// of float models is the multiply-accumulates alone. Both are at the peak of the moment: a loop of register-only
// products runs before and after every sample.

#include "bench/forward.h"

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "format/reader.h"

namespace thimble::bench {
namespace {

void Measure(const Weights& weights, const kernels::Kernels& kernels, const Shape& shape) {
  std::mt19937 random(1);
  std::uniform_int_distribution<std::int32_t> id(0, static_cast<std::int32_t>(weights.info.vocabulary) - 1);
  std::vector<std::int32_t> ids(shape.sequences * shape.tokens);
  for (std::int32_t& value : ids) value = id(random);
  Forward forward(weights, kernels, shape, std::move(ids), 1);
  for (int i = 0; i < 3; ++i) forward.Run();
  double begin = Now();
  forward.Run();
  const int inner = std::max(1, static_cast<int>(2e-3 / (Now() - begin)));
  const int kSamples = std::getenv("ONE") ? 61 : 41;
  std::vector<double> times, floors, ratios;
  const bool has_peak = HasPeak();
  auto peak = [&] { return weights.int8 ? PeakMacs() : PeakFloatMacs(); };
  for (int sample = 0; sample < kSamples; ++sample) {
    const double before = has_peak ? peak() : 0;
    begin = Now();
    for (int i = 0; i < inner; ++i) forward.Run();
    double time = (Now() - begin) / inner;
    times.push_back(time);
    if (!has_peak) continue;
    const double macs = std::max(before, peak());
    floors.push_back(weights.int8 ? Floor(shape, macs) : Macs(shape) / macs);
    ratios.push_back(time / floors.back());
  }
  std::string name = (shape.sequences > 1 ? std::to_string(shape.sequences) + "x" : "") + std::to_string(shape.tokens);
  double least = *std::min_element(times.begin(), times.end());
  std::printf("%8s %10.0f %10.0f", name.c_str(), Median(times) * 1e6, least * 1e6);
  if (has_peak) std::printf(" %10.0f %7.2f", Median(floors) * 1e6, Median(ratios));
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
    for (Shape shape : std::getenv("ONE") ? std::vector<Shape>{Shape{1,16},{1,32},{8,16},{32,16}} : std::vector<Shape>{Shape{1, 8},
                        {1, 16},
                        {1, 32},
                        {1, 64},
                        {1, 128},
                        {1, 256},
                        {1, 512},
                        {8, 16},
                        {8, 32},
                        {32, 16},
                        {32, 128}}) {
      Measure(*weights, **kernels, shape);
    }
  }
  return 0;
}

}  // namespace
}  // namespace thimble::bench

int main(int argc, char** argv) { return thimble::bench::Main(argc, argv); }
