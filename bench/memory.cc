// A bare program that embeds, and its memory: what the library costs an application.
//
//   bench_memory MODEL TEXTS [MAX_MEMORY [MANY]]
//
// TEXTS has one text a line. The first 64 go in one call, the rest in calls of 64, on one thread; then the model is
// unloaded and loaded again. With MAX_MEMORY (bytes, 0 for none) the whole process keeps to it. With MANY, the texts
// are embedded in turn until there were so many, on two threads, and the resident memory after the first thousand is
// compared with that at the end. Prints one JSON object; "bits" is a hash of all vectors.

#include "thimble/memory.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/file_map.h"
#include "thimble/embedder.h"

namespace {

constexpr std::size_t kCallTexts = 64;
// Stack, heap and static data of this program that are touched behind the measurement.
constexpr std::size_t kLaterBytes = 64 << 10;

int Fail(const thimble::Status& status) {
  std::fprintf(stderr, "bench_memory: %s\n", status.message().c_str());
  return 1;
}

thimble::ProcessMemory Now() {
  auto memory = thimble::MeasureMemory();
  return memory.ok() ? *memory : thimble::ProcessMemory{};
}

// Lines of a file, from the beginning again when they are over.
class Texts {
 public:
  explicit Texts(std::span<const std::byte> bytes)
      : all_(reinterpret_cast<const char*>(bytes.data()), bytes.size()), rest_(all_) {}

  bool over() const { return rest_.empty(); }
  std::string_view Next() {
    if (rest_.empty()) rest_ = all_;
    const std::string_view line = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(line.size() + (line.size() < rest_.size()));
    return line;
  }

 private:
  std::string_view all_, rest_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: bench_memory MODEL TEXTS [MAX_MEMORY [MANY]]\n", stderr);
    return 2;
  }
  const std::size_t max_memory = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0;
  const std::size_t many = argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 0;
  auto file = thimble::base::FileMap::Open(argv[2]);
  if (!file.ok()) return Fail(file.status());
  const thimble::ProcessMemory start = Now();
  std::optional<thimble::Embedder> embedder;
  std::vector<float> vectors;
  auto open = [&](std::size_t threads) -> thimble::Status {
    auto model = thimble::Model::Open(argv[1]);
    if (!model.ok()) return model.status();
    vectors.resize(kCallTexts * (*model)->dimensions());
    thimble::EmbedderOptions options = {.threads = threads};
    if (max_memory != 0) {
      const std::size_t own = start.private_bytes + vectors.size() * sizeof(float) + kLaterBytes;
      options.max_memory = max_memory > own ? max_memory - own : 1;
    }
    auto created = thimble::Embedder::Create(*model, options);
    if (!created.ok()) return created.status();
    embedder.emplace(*std::move(created));
    return {};
  };
  thimble::Status status = open(1);
  if (!status.ok()) return Fail(status);
  const std::size_t planned = embedder->plan().peak_bytes;
  const std::size_t dimensions = embedder->dimensions();

  Texts texts(file->bytes());
  std::string_view call[kCallTexts];
  std::uint64_t bits = 0xCBF29CE484222325;  // FNV-1a.
  while (!texts.over()) {
    std::size_t count = 0;
    while (count < kCallTexts && !texts.over()) call[count++] = texts.Next();
    const std::span<float> out(vectors.data(), count * dimensions);
    status = embedder->EmbedBatch({call, count}, out);
    if (!status.ok()) return Fail(status);
    for (float value : out) {
      std::uint32_t word;
      std::memcpy(&word, &value, sizeof word);
      bits = (bits ^ word) * 0x100000001B3;
    }
  }
  const thimble::ProcessMemory embedded = Now();
  embedder->Release();
  const thimble::ProcessMemory idle = Now();
  embedder.reset();
  const thimble::ProcessMemory unloaded = Now();

  const auto begin = std::chrono::steady_clock::now();
  status = open(1);
  if (!status.ok()) return Fail(status);
  auto report = embedder->Embed("a short text", std::span<float>(vectors).first(dimensions));
  if (!report.ok()) return Fail(report.status());
  const double reload = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();

  std::printf(
      "{\"start\":%zu,\"peak\":%zu,\"idle\":%zu,\"unloaded\":%zu,\"planned\":%zu,\"pss\":%zu,\"rss\":%zu,"
      "\"reload_ms\":%.3f,\"bits\":\"%016llx\"",
      start.private_bytes, embedded.private_bytes, idle.private_bytes, unloaded.private_bytes, planned,
      embedded.pss_bytes, embedded.peak_rss_bytes, reload, static_cast<unsigned long long>(bits));
  if (many > 0) {
    status = open(2);
    if (!status.ok()) return Fail(status);
    thimble::ProcessMemory thousand;
    for (std::size_t done = 0; done < many; done += kCallTexts) {
      for (std::string_view& text : call) text = texts.Next();
      status = embedder->EmbedBatch(call, vectors);
      if (!status.ok()) return Fail(status);
      if (done < 1000 && done + kCallTexts >= 1000) thousand = Now();
    }
    const thimble::ProcessMemory end = Now();
    std::printf(",\"rss_after_1000\":%zu,\"rss_after_all\":%zu,\"private_after_1000\":%zu,\"private_after_all\":%zu",
                thousand.rss_bytes, end.rss_bytes, thousand.private_bytes, end.private_bytes);
  }
  std::puts("}");
  return 0;
}
