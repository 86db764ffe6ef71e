// The child of thimble memory: one model from start to unloading, with a stop at each stage (see staged_process.h).

#include "cli/memory_stages.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file_map.h"
#include "thimble/pool.h"

namespace thimble::cli {
namespace {

using std::chrono::milliseconds;

// Texts of one call.
constexpr std::size_t kCallTexts = 64;

void Stage(const char* name) {
  std::printf("stage %s\n", name);
  std::fflush(stdout);
  while (true) {
    const int c = std::getchar();
    if (c == '\n' || c == EOF) return;
  }
}

}  // namespace

std::string MemoryTexts() {
  static constexpr const char* kWords[] = {
      "the",  "river",  "of",    "small",  "memory", "and",  "a",     "window", "in",    "winter", "to",   "answer",
      "is",   "letter", "for",   "garden", "with",   "blue", "music", "on",     "quiet", "street", "from", "morning",
      "that", "engine", "were",  "paper",  "this",   "old",  "house", "at",     "green", "light",  "by",   "question",
      "some", "bread",  "which", "summer", "had",    "wide", "ocean", "they",   "tall",  "forest", "one",  "summary"};
  constexpr std::size_t kCount = sizeof kWords / sizeof kWords[0];
  std::string texts;
  std::uint32_t state = 1;
  auto next = [&state](std::size_t below) {  // The generator of Numerical Recipes, of which the high bits are random.
    state = state * 1664525 + 1013904223;
    return (state >> 16) % below;
  };
  for (std::size_t i = 0; i < kLongTexts + kShortTexts; ++i) {
    const std::size_t words = i < kLongTexts ? kLongTextWords : 3 + next(13);
    for (std::size_t w = 0; w < words; ++w) {
      if (w > 0) texts += ' ';
      texts += kWords[next(kCount)];
    }
    texts += '\n';
  }
  return texts;
}

Status RunMemoryStages(const std::string& model, const std::string& texts_path) {
  Stage("start");
  PoolOptions options;
  options.release_after = milliseconds(50);
  THIMBLE_ASSIGN_OR_RETURN(ModelPool pool, ModelPool::Create(options));
  // A mapping costs no memory of the process's own.
  THIMBLE_ASSIGN_OR_RETURN(base::FileMap file, base::FileMap::Open(texts_path));
  std::vector<std::string_view> texts;
  std::vector<float> vectors;
  {
    THIMBLE_ASSIGN_OR_RETURN(Lease lease, pool.Acquire(model, ""));
    Stage("loaded");
    std::string_view rest(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
    vectors.resize(kCallTexts * lease.model().dimensions());
    while (!rest.empty()) {
      texts.clear();
      while (texts.size() < kCallTexts && !rest.empty()) {
        texts.push_back(rest.substr(0, rest.find('\n')));
        rest.remove_prefix(texts.back().size() + 1);
      }
      THIMBLE_RETURN_IF_ERROR(
          lease.EmbedBatch(texts, std::span<float>(vectors).first(texts.size() * lease.model().dimensions())));
    }
    Stage("embedded");
    std::this_thread::sleep_for(milliseconds(100));
    Stage("idle");
  }
  pool.Unload(model, "");
  Stage("unloaded");
  const auto begin = std::chrono::steady_clock::now();
  THIMBLE_ASSIGN_OR_RETURN(Lease lease, pool.Acquire(model, ""));
  auto report = lease.Embed("a short text", std::span<float>(vectors).first(lease.model().dimensions()));
  if (!report.ok()) return report.status();
  std::printf("reload_ms %.3f\n",
              std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  return Status();
}

}  // namespace thimble::cli
