// The forward pass of a model against the floor of the machine, both measured in the same run, for every
// instruction set that runs here, or for the one that THIMBLE_ISA names.
//
//   bench_forward MODEL...
//
// Prints, for each model, set and shape: microseconds (median and least), the floor of that set and of the model's
// formats (bench/forward.h), and the medians of the ratios to it without and with the reading of weights for single
// rows. One core, token ids given, tokenizer excluded. The peaks are those of the moment: loops on registers run before
// and after every sample. Then where the time goes, by
// part. Exit code 1 when two sets give vectors, or scores of pairs, that differ in a bit.

#include "bench/forward.h"

#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/parts.h"
#include "format/reader.h"

namespace thimble::bench {
namespace {

std::vector<std::int32_t> RandomIds(const model::Weights& weights, const Shape& shape) {
  std::mt19937 random(1);
  std::uniform_int_distribution<std::int32_t> id(0, static_cast<std::int32_t>(weights.info.vocabulary) - 1);
  std::vector<std::int32_t> ids(shape.sequences * shape.tokens);
  for (std::int32_t& value : ids) value = id(random);
  return ids;
}

std::string Name(const Shape& shape) {
  return (shape.sequences > 1 ? std::to_string(shape.sequences) + "x" : "") + std::to_string(shape.tokens);
}

// Returns the vectors.
std::vector<float> Measure(const model::Weights& weights, const kernels::Kernels& kernels, const Shape& shape) {
  Forward forward(weights, kernels, shape, RandomIds(weights, shape), 1);
  const Floor floor(weights, kernels.name);
  for (int i = 0; i < 3; ++i) forward.Run();
  double begin = Now();
  forward.Run();
  const double once = Now() - begin;
  const int inner = std::max(1, static_cast<int>(2e-3 / once));
  const int samples = std::clamp(static_cast<int>(4 / once), 7, 41);
  std::vector<double> times, floors, ratios, with_reading;
  for (int sample = 0; sample < samples; ++sample) {
    const double before = floor.known() ? floor.Measure(shape) : 0;
    begin = Now();
    for (int i = 0; i < inner; ++i) forward.Run();
    times.push_back((Now() - begin) / inner);
    if (!floor.known()) continue;
    const double reading = floor.Reading(shape);
    floors.push_back(std::min(before, floor.Measure(shape)));
    ratios.push_back(times.back() / floors.back());
    with_reading.push_back(times.back() / (floors.back() + reading));
  }
  const double least = *std::min_element(times.begin(), times.end());
  std::printf("%8s %10.0f %10.0f", Name(shape).c_str(), Median(times) * 1e6, least * 1e6);
  if (floor.known()) {
    std::printf(" %10.0f %7.2f %7.2f", Median(floors) * 1e6, Median(ratios), Median(with_reading));
  }
  std::printf("\n");
  return forward.vectors();
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void MeasureParts(const model::Weights& weights, const kernels::Kernels& kernels, const Shape& shape) {
  PartTimer timer(kernels);
  Forward forward(weights, timer.kernels(), shape, RandomIds(weights, shape), 1);
  std::vector<std::vector<double>> samples(kParts);
  double total = 0;
  for (int i = 0; i < 12; ++i) {
    timer.Clear();
    forward.Run();
    for (std::size_t part = 0; i >= 2 && part < kParts; ++part) samples[part].push_back(timer.seconds(part));
  }
  for (const std::vector<double>& part : samples) total += Median(part);
  std::printf("%8s", Name(shape).c_str());
  for (std::size_t part = 0; part < kParts; ++part) {
    std::printf("  %s %.1f %%", kPartNames[part], 100 * Median(samples[part]) / total);
  }
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
  auto chosen = kernels::ChooseKernels();
  if (!chosen.ok()) {
    std::fprintf(stderr, "bench_forward: %s\n", chosen.status().message().c_str());
    return 1;
  }
  std::vector<const kernels::Kernels*> sets = {*chosen};
  if (std::getenv("THIMBLE_ISA") == nullptr) {
    for (const kernels::Kernels* set : kernels::AllKernels()) {
      if (set != *chosen && set->supported() && set->name != "scalar") sets.push_back(set);
    }
  }
  for (int i = 1; i < count; ++i) {
    auto reader = format::Reader::Open(arguments[i]);
    auto weights = reader.ok() ? model::Weights::Load(*reader) : Result<model::Weights>(reader.status());
    if (!weights.ok()) {
      std::fprintf(stderr, "bench_forward: %s\n", weights.status().message().c_str());
      return 1;
    }
    std::map<std::string, std::vector<float>> vectors;  // Of the first set, by shape.
    for (const kernels::Kernels* set : sets) {
      // Without fused multiply-add a float model is for emergencies.
      if (set != sets.front() && !weights->int8 && !Floor(*weights, set->name).known()) continue;
      std::printf("%s %s, %s, one core\n", weights->info.name.c_str(), weights->info.dtype.c_str(),
                  std::string(set->name).c_str());
      std::printf("%8s %10s %10s %10s %7s %7s\n", "tokens", "median us", "least us", "floor us", "ratio", "reading");
      for (const Shape& shape : {Shape{1, 8},
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
        const std::vector<float> found = Measure(*weights, *set, shape);
        if (SameBits(vectors.try_emplace(Name(shape), found).first->second, found)) continue;
        std::fprintf(stderr, "bench_forward: %s: other bits than %s\n", std::string(set->name).c_str(),
                     std::string(sets.front()->name).c_str());
        return 1;
      }
      for (const Shape& shape : {Shape{1, 32}, {1, 256}, {32, 16}}) MeasureParts(*weights, *set, shape);
    }
  }
  return 0;
}

}  // namespace
}  // namespace thimble::bench

int main(int argc, char** argv) { return thimble::bench::Main(argc, argv); }
