// What an exact cache saves: bench_exact_cache MODEL
//
// Prints, for texts of some lengths, microseconds of processor time of a text that is computed, of one that is computed
// and kept, and of one that is found (medians of calls taken in turn, all texts different), with the medians of the
// ratios. Then the share of texts that are found where they come by Zipf's law (the text of rank r with weight 1/r),
// against the share of the texts that have room.

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "cache/table.h"
#include "thimble/embedder.h"

namespace {

using thimble::ExactCache;

double Now() {
  timespec time = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

template <typename T>
T Value(thimble::Result<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "bench_exact_cache: %s\n", result.status().message().c_str());
  std::exit(1);
}

void CompareCosts(const std::string& path, const std::string& file) {
  const auto model = Value(thimble::Model::Open(path));
  auto plain = Value(thimble::Embedder::Create(model));
  auto cached = Value(thimble::Embedder::Create(model, {.cache = Value(ExactCache::Open(file))}));
  std::vector<float> vector(model->dimensions());
  std::mt19937 random(1);
  std::printf("%8s %12s %12s %12s %14s %14s\n", "tokens", "computed, us", "kept, us", "found, us", "kept/computed",
              "computed/found");
  for (const std::size_t tokens : {16, 64, 256}) {
    std::vector<double> computed, kept, found, kept_ratio, found_ratio;
    for (int i = 0; i < 60; ++i) {
      std::string text;
      for (std::size_t n = 2; n < tokens; ++n) text += std::string(1, static_cast<char>('a' + random() % 26)) + " ";
      const auto time = [&](thimble::Embedder& embedder) {
        const double begin = Now();
        Value(embedder.Embed(text, vector));
        return Now() - begin;
      };
      computed.push_back(time(plain));
      kept.push_back(time(cached));
      found.push_back(time(cached));
      kept_ratio.push_back(kept.back() / computed.back());
      found_ratio.push_back(computed.back() / found.back());
    }
    std::printf("%8zu %12.1f %12.1f %12.1f %14.3f %14.1f\n", tokens, Median(computed), Median(kept), Median(found),
                Median(kept_ratio), Median(found_ratio));
  }
}

void CountHits(const std::string& file) {
  constexpr std::size_t kTexts = 10'000, kDimensions = 384, kCalls = 40'000;
  constexpr double kRecord = 64 + kDimensions * sizeof(float);
  std::vector<double> sums(kTexts);
  for (std::size_t i = 0; i < kTexts; ++i) sums[i] = (i == 0 ? 0 : sums[i - 1]) + 1.0 / static_cast<double>(i + 1);
  std::printf("%12s %8s %8s\n", "room", "found", "best");  // The best keeps the most frequent texts.
  std::vector<float> vector(kDimensions);
  for (const double room : {0.1, 0.2, 0.5, 1.0, 1.5}) {
    std::remove(file.c_str());
    const auto cache = Value(ExactCache::Open(file, static_cast<std::uint64_t>(kTexts * room * kRecord)));
    std::mt19937_64 random(2);
    std::size_t hits = 0;
    for (std::size_t i = 0; i < 2 * kCalls; ++i) {
      const double at = std::uniform_real_distribution<double>(0, sums.back())(random);
      const std::uint64_t text = std::lower_bound(sums.begin(), sums.end(), at) - sums.begin();
      thimble::base::Sha256 hash;
      hash.Update(std::as_bytes(std::span(&text, 1)));
      const auto key = hash.Digest();
      const bool found = cache->table().Get(key, vector);
      if (i >= kCalls) hits += found;
      if (!found) cache->table().Put(key, vector);
    }
    const auto kept = static_cast<std::size_t>(std::min(1.0, room) * kTexts);
    std::printf("%12.2f %8.3f %8.3f\n", room, static_cast<double>(hits) / kCalls, sums[kept - 1] / sums.back());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: bench_exact_cache MODEL\n"), 2;
  const std::string file = "/tmp/bench_exact_cache." + std::to_string(getpid());
  CompareCosts(argv[1], file);
  CountHits(file);
  std::remove(file.c_str());
}
