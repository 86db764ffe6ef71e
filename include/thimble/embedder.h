// Turns texts into vectors with a Model.
//
//   auto embedder = thimble::Embedder::Create(*model, {.max_memory = 4 << 20});
//   if (!embedder.ok()) return embedder.status();
//   std::vector<float> vector((*model)->dimensions());
//   auto report = embedder->Embed("hello", vector);
//   if (report.ok()) std::printf("%zu tokens, first value %f\n", report->tokens, vector[0]);

#ifndef THIMBLE_EMBEDDER_H_
#define THIMBLE_EMBEDDER_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble {

struct EmbedderOptions {
  std::size_t threads = 1;     // Worker threads for one call, 1 to 64. The vectors do not depend on it.
  std::size_t max_tokens = 0;  // Where to truncate; 0 means the model's default. At most the model's positions.
  std::optional<Pooling> pooling = {};  // Unset means the model's own.
  std::optional<bool> normalize = {};   // Unset means the model's own.
  std::size_t max_memory = 0;           // Bytes of scratch for all threads together; 0 means the default tile size.
};

// What happened to one text.
struct Report {
  std::size_t tokens = 0;  // Tokens embedded, special tokens included.
  bool truncated = false;  // Whether the text had more tokens than that.
};

// A model with scratch memory. Thread-compatible: use one per thread, or one with `threads` > 1. Keeps its model alive.
// The vector of a text does not depend on the other texts of a batch, their order, or the number of threads.
class Embedder {
 public:
  // Takes all scratch memory. kInvalidArgument for options out of range; kOutOfMemory when `max_memory` is less than
  // one text of `max_tokens` needs (the message says how much) or the system refuses; kInvalidArgument when THIMBLE_ISA
  // names an instruction set that is unknown or that this machine lacks.
  static Result<Embedder> Create(std::shared_ptr<const Model> model, const EmbedderOptions& options = {});

  ~Embedder();
  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;

  // Embeds one text (UTF-8; invalid bytes count as U+FFFD) into `vector`, which holds dimensions() floats.
  Result<Report> Embed(std::string_view text, std::span<float> vector);

  // Embeds texts[i] into vectors[i * dimensions() ..]; `vectors` holds texts.size() * dimensions() floats and `reports`
  // is empty or holds one entry per text. Memory does not grow with the number of texts or their lengths.
  Status EmbedBatch(std::span<const std::string_view> texts, std::span<float> vectors, std::span<Report> reports = {});

  std::size_t dimensions() const;
  // Bytes of scratch this embedder may touch, all threads together.
  std::size_t scratch_bytes() const;
  // The instruction set in use, as named by THIMBLE_ISA, for example "avx512vnni".
  std::string_view isa() const;

 private:
  struct Impl;
  explicit Embedder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace thimble

#endif  // THIMBLE_EMBEDDER_H_
