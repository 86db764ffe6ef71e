// Embeds texts through a pool whose models come and go, until its input ends; for tests/trust/run.sh.
//
//   trust_soak FOLDER TEXTS    FOLDER has DTYPE.safetensors of six dtypes

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "thimble/pool.h"

namespace {

int Fail(const thimble::Status& status) {
  std::fprintf(stderr, "trust_soak: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: trust_soak FOLDER TEXTS\n");
    return 2;
  }
  const std::string folder = argv[1];
  const std::size_t texts = std::strtoull(argv[2], nullptr, 10);
  constexpr std::array kDtypes = {"fp32", "fp16", "q8", "q6", "q4", "q4-small"};
  std::size_t done = 0;
  for (std::size_t round = 0; done < texts; ++round) {
    // Pools with other limits, one after the other: few models fit, so that most calls load one.
    thimble::PoolOptions options;
    options.max_models = 1 + round % 3;
    options.embedder.threads = 1 + round % 4;
    options.release_after = std::chrono::milliseconds(round % 2 == 0 ? 1 : 1000);
    auto pool = thimble::ModelPool::Create(options);
    if (!pool.ok()) return Fail(pool.status());
    for (std::size_t call = 0; call < 10 && done < texts; ++call) {
      auto lease = pool->Acquire(folder + "/" + kDtypes[(call * 7 + round) % kDtypes.size()] + ".safetensors", "");
      if (!lease.ok()) return Fail(lease.status());
      const std::size_t count = 1 + (call * 37 + round * 11) % 120;
      std::vector<std::string> lines(count);
      for (std::size_t i = 0; i < count; ++i) {
        lines[i] = "text " + std::to_string(done + i);
        for (std::size_t word = 0; word < (i + call) % 20; ++word) lines[i] += " small vector";
      }
      const std::vector<std::string_view> views(lines.begin(), lines.end());
      std::vector<float> vectors(count * lease->model().dimensions());
      const thimble::Status status = lease->EmbedBatch(views, vectors);
      if (!status.ok()) return Fail(status);
      for (float value : vectors) {
        if (!std::isfinite(value)) {
          std::fprintf(stderr, "trust_soak: a value that is not finite\n");
          return 1;
        }
      }
      done += count;
    }
    std::printf("%zu\n", done);
    std::fflush(stdout);
  }
  return 0;
}
