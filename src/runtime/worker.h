// One thread's share of an Embedder: scratch memory, an encoder, and the tile being filled.

#ifndef THIMBLE_RUNTIME_WORKER_H_
#define THIMBLE_RUNTIME_WORKER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "kernels/kernels.h"
#include "model/encoder.h"
#include "thimble/embedder.h"

namespace thimble {

// What a call to EmbedBatch works on; `reports` may be empty.
struct Batch {
  std::span<const std::string_view> texts;
  float* vectors = nullptr;  // [texts][dimensions]
  std::span<Report> reports;
};

// Thread-compatible. Allocates nothing after Create.
class Worker {
 public:
  struct Options {
    TileShape shape;
    Pooling pooling = Pooling::kMean;
    bool normalize = true;
  };

  // Bytes that Create takes.
  static std::size_t ScratchBytes(const Weights& weights, const kernels::Kernels& kernels, TileShape shape);
  // kOutOfMemory when the system refuses. The weights must outlive the worker.
  static Result<Worker> Create(const Weights& weights, const kernels::Kernels& kernels, const Options& options);

  // Embeds texts [begin, end) of the batch.
  void Embed(const Batch& batch, std::size_t begin, std::size_t end);

 private:
  Worker(const Weights& weights, const kernels::Kernels& kernels, const Options& options, Mapping scratch);
  // Encodes the tile and writes its vectors.
  void Flush(const Batch& batch);

  const Weights* weights_;
  const kernels::Kernels* kernels_;
  Options options_;
  Mapping scratch_;
  Arena arena_;
  Encoder encoder_;

  // The tile: sequences laid end to end, and the texts they are of.
  std::int32_t* ids_;           // [shape.tokens + shape.longest]: a text that no longer fits waits behind the tile.
  std::uint32_t* lengths_;      // [shape.tokens]
  std::size_t first_text_ = 0;  // Its texts are consecutive.
  std::size_t num_texts_ = 0;
  std::size_t num_ids_ = 0;
};

}  // namespace thimble

#endif  // THIMBLE_RUNTIME_WORKER_H_
