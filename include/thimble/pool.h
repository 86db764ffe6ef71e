// Models by name: loaded on demand, one copy for all users, unloaded when idle, within one budget.
//
//   auto pool = thimble::ModelPool::Create({.folder = "models", .max_memory = 16 << 20});
//   if (!pool.ok()) return pool.status();
//   auto lease = pool->Acquire("all-MiniLM-L6-v2", "q8");  // Loads the model if necessary.
//   if (!lease.ok()) return lease.status();
//   std::vector<float> vector(lease->model().dimensions());
//   auto report = lease->Embed("hello", vector);

#ifndef THIMBLE_POOL_H_
#define THIMBLE_POOL_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/embedder.h"
#include "thimble/export.h"
#include "thimble/model.h"
#include "thimble/rerank.h"
#include "thimble/status.h"

namespace thimble::runtime {
class PoolState;
struct PoolEntry;
}  // namespace thimble::runtime

namespace thimble::inline v0_1 {

struct PoolOptions {
  // Folder of models, see cache.h. Empty means CacheFolder().
  std::string folder = {};
  // The budget: limit of the private bytes of all models, embedders and reservations. 0 means half of MemoryLimit().
  std::size_t max_memory = 0;
  // Limit of the number of loaded models; 0 means as many as fit into the budget.
  std::size_t max_models = 0;
  // A model without a lease for this long is unloaded; 0 means with the end of the last lease, unset never.
  std::optional<std::chrono::milliseconds> unload_after = std::chrono::seconds(30);
  // Scratch memory unused for this long is released to the system.
  std::chrono::milliseconds release_after = std::chrono::seconds(1);
  // How long a call waits for memory or for its turn before it fails with kOverloaded; 0 means that it does not wait.
  std::chrono::milliseconds max_wait = std::chrono::seconds(30);
  // How models are opened. A copy counts against the budget.
  OpenOptions open = {};
  // Options of each call. `max_memory` limits the memory of one call.
  EmbedderOptions embedder = {};
};

struct ModelStats {
  std::string name;               // As first requested.
  std::string dtype;              // Empty for a path and for a mock.
  std::size_t mapped_bytes = 0;   // The file, shared with other processes; 0 for a copy.
  std::size_t private_bytes = 0;  // Share of the budget, scratch included.
  std::size_t leases = 0;         // Current leases.
  std::uint64_t uses = 0;         // Leases since the model was loaded.
  bool pinned = false;
  std::chrono::milliseconds idle = {};  // Time since the last lease ended; 0 during a lease.
};

struct PoolStats {
  std::size_t max_memory = 0;   // The budget.
  std::size_t used_memory = 0;  // Current use.
  std::size_t peak_memory = 0;  // Maximum use so far.
  std::uint64_t loads = 0;
  std::uint64_t unloads = 0;
  std::uint64_t refusals = 0;                 // Calls that failed with kOverloaded.
  std::optional<ExactCacheStats> cache = {};  // Of EmbedderOptions::cache.
  std::vector<ModelStats> models;             // Loaded models, in the order of loading.
};

// The right to use a model of a pool, which keeps it loaded. Move-only. Thread-safe: calls from several threads run at
// the same time, as far as the budget and the processors allow; further calls wait. The processors are those that the
// affinity and the control groups of the process (cpu.max or cpu.cfs_quota_us) allow, of hybrid processors the
// performance cores if there are any among them.
class THIMBLE_API Lease {
 public:
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  // Valid as long as the lease.
  const Model& model() const;

  // The truncation limit, in tokens.
  std::size_t max_tokens() const;

  // As the functions of Embedder, and kOverloaded without memory or a turn within max_wait; kOutOfMemory if the system
  // refuses memory.
  Result<Report> Embed(std::string_view text, std::span<float> vector, const VectorOptions& options = {});
  Status EmbedBatch(std::span<const std::string_view> texts, std::span<float> vectors, std::span<Report> reports = {},
                    const VectorOptions& options = {});
  Result<Report> EmbedTokens(std::string_view text, std::span<float> vectors, const std::atomic<bool>* stop = nullptr);
  Status EmbedIds(std::span<const std::int32_t> ids, std::span<float> vectors, const std::atomic<bool>* stop = nullptr);
  // As Reranker::Rank, likewise.
  Status Rank(std::string_view query, std::span<const std::string_view> documents, std::span<float> scores,
              std::span<Report> reports = {}, const RankOptions& options = {});
  // Scores of a pair; 0 if the model scores no pairs.
  std::size_t num_scores() const;

 private:
  friend class ModelPool;
  Lease(std::shared_ptr<runtime::PoolState> pool, runtime::PoolEntry* entry);
  std::shared_ptr<runtime::PoolState> pool_;
  runtime::PoolEntry* entry_;
};

// A part of a pool's budget for memory that the caller uses: queues, vectors not yet sent. Its destructor releases it.
// Move-only.
class THIMBLE_API Reservation {
 public:
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation();

 private:
  friend class ModelPool;
  Reservation(std::shared_ptr<runtime::PoolState> pool, std::size_t bytes);
  std::shared_ptr<runtime::PoolState> pool_;
  std::size_t bytes_;
};

// Thread-safe. Leases and reservations may outlive the pool and then release what they hold.
//
// A model is a name, [ORGANISATION/]NAME[@REVISION], or the path of a folder, with a dtype, q8 if empty; or the path of
// a model file, which ends in .safetensors; or mock or mock-hashed (see Model::Open): all as in OpenModel. The pool
// has one copy of each model, whatever it is called. If the file of a loaded model was written to or another one was
// renamed over it, the next Acquire loads it again; leases keep the model that they have. If it was removed, the loaded
// model stays. The model of a folder is looked up in each call.
//
// A pool works in the child of a fork(), whatever other threads were doing in it: their calls are over there. Leases
// and reservations that they had remain, so that their models stay loaded and their bytes taken. The pool's thread is
// started again when it is needed. Not in a child that a signal handler forks. A thread must not be cancelled
// (pthread_cancel) during a call.
//
// If the budget or the memory of the machine (pressure stall information of Linux) runs short, the pool first releases
// idle scratch memory, then the least recently used idle model.
class THIMBLE_API ModelPool {
 public:
  // Starts one thread for releases and unloading; if the system refuses it, later calls do its work and try again.
  // kInvalidArgument for options out of range.
  static Result<ModelPool> Create(const PoolOptions& options = {});

  ModelPool(ModelPool&&) noexcept;
  ModelPool& operator=(ModelPool&&) noexcept;
  // Waits for the pool's thread and unloads every model that has no lease.
  ~ModelPool();

  // A lease of the model, which is loaded if necessary, once for all concurrent callers. The errors of Model::Open;
  // kOutOfMemory if the budget is too small for one text; kOverloaded if there was no memory within max_wait, or if
  // `max_models` models stayed in use.
  Result<Lease> Acquire(std::string_view name, std::string_view dtype = {});

  // The plan of one call with the model, which is opened only for that. The errors of Acquire except kOverloaded.
  Result<Plan> MakePlan(std::string_view name, std::string_view dtype = {}) const;

  // Loads the model if necessary. The errors of Acquire.
  Status Preload(std::string_view name, std::string_view dtype = {});
  // Loads the model and keeps it loaded until Unpin or Unload. The errors of Acquire.
  Status Pin(std::string_view name, std::string_view dtype = {});
  void Unpin(std::string_view name, std::string_view dtype = {});
  // Waits for the leases of the model to end, unloads it, and returns when its memory is released; returns at once if
  // it is not loaded. The caller must not hold a lease of it.
  void Unload(std::string_view name, std::string_view dtype = {});

  // Takes `bytes` from the budget. kOutOfMemory if they exceed the budget, kOverloaded if they do not become free
  // within `max_wait`, by default that of the pool.
  Result<Reservation> Reserve(std::size_t bytes, std::optional<std::chrono::milliseconds> max_wait = {});

  // kOutOfMemory if the heap is exhausted.
  Result<PoolStats> Stats() const;

  // For thimble's own layers.
  explicit ModelPool(std::shared_ptr<runtime::PoolState> state);

 private:
  std::shared_ptr<runtime::PoolState> state_;
};

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_POOL_H_
