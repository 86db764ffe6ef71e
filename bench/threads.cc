// One text on one thread and on several: bench_threads MODEL [THREADS]
//
// Prints, for texts of some lengths, microseconds from text to vector (medians) with one thread and with THREADS (2),
// taken in turn, and the median of the ratios.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "thimble/embedder.h"

namespace {

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Seconds of one call, over as many as take a few milliseconds.
double Time(thimble::Embedder& embedder, const std::string& text, std::vector<float>& vector, int calls) {
  const double begin = Now();
  for (int i = 0; i < calls; ++i) {
    if (!embedder.Embed(text, vector).ok()) std::exit(1);
  }
  return (Now() - begin) / calls;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench_threads MODEL [THREADS]\n");
    return 2;
  }
  const std::size_t threads = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 2;
  auto model = thimble::Model::Open(argv[1]);
  if (!model.ok()) return std::fprintf(stderr, "bench_threads: %s\n", model.status().message().c_str()), 1;
  auto one = thimble::Embedder::Create(*model), several = thimble::Embedder::Create(*model, {.threads = threads});
  if (!one.ok() || !several.ok()) return std::fprintf(stderr, "bench_threads: no embedder\n"), 1;
  std::vector<float> vector((*model)->dimensions());
  std::printf("%8s %12s %12s %7s\n", "tokens", "1 thread, us", (std::to_string(threads) + " threads").c_str(), "ratio");
  for (std::size_t tokens : {8, 16, 32, 64, 128, 256}) {
    std::string text;
    for (std::size_t i = 2; i < tokens; ++i) text += "word ";
    const int calls = std::max(1, static_cast<int>(4e-3 / Time(*one, text, vector, 5)));
    std::vector<double> alone, together, ratios;
    for (int sample = 0; sample < 41; ++sample) {
      alone.push_back(Time(*one, text, vector, calls));
      together.push_back(Time(*several, text, vector, calls));
      ratios.push_back(alone.back() / together.back());
    }
    std::printf("%8zu %12.0f %12.0f %7.2f\n", tokens, Median(alone) * 1e6, Median(together) * 1e6, Median(ratios));
  }
  return 0;
}
