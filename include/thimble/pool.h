// Models by name: loaded when they are asked for, one copy for all users, unloaded when idle, within one budget.
//
//   auto pool = thimble::ModelPool::Create({.folder = "models", .max_memory = 16 << 20});
//   if (!pool.ok()) return pool.status();
//   auto lease = pool->Acquire("all-MiniLM-L6-v2", "q8");  // Loads the model unless it is loaded.
//   if (!lease.ok()) return lease.status();
//   std::vector<float> vector(lease->model().dimensions());
//   auto report = lease->Embed("hello", vector);

#ifndef THIMBLE_POOL_H_
#define THIMBLE_POOL_H_

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
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble {

struct PoolOptions {
  // Where models are, as cache.h describes it. Empty means CacheFolder().
  std::string folder = {};
  // The budget: most private bytes of all models, embedders and reservations together. 0 means half of MemoryLimit().
  std::size_t max_memory = 0;
  // Most models loaded at the same time; 0 means as many as the budget allows.
  std::size_t max_models = 0;
  // A model that nobody has leased for this long is unloaded; 0 means with the last lease, unset never.
  std::optional<std::chrono::milliseconds> unload_after = std::chrono::seconds(30);
  // Scratch memory that has not been used for this long goes back to the system.
  std::chrono::milliseconds release_after = std::chrono::seconds(1);
  // How long a call waits for memory or for its turn before it fails with kOverloaded; 0 means not at all.
  std::chrono::milliseconds max_wait = std::chrono::seconds(30);
  // Of each call. `max_memory` bounds what one call may take beside others.
  EmbedderOptions embedder = {};
};

struct ModelStats {
  std::string name;               // As it was first asked for.
  std::string dtype;              // Empty for a path and for a mock.
  std::size_t mapped_bytes = 0;   // The file, shared with other processes.
  std::size_t private_bytes = 0;  // Of the budget, scratch included.
  std::size_t leases = 0;         // Now out.
  std::uint64_t uses = 0;         // Leases ever given since it was loaded.
  bool pinned = false;
  std::chrono::milliseconds idle = {};  // Since the last lease came back; 0 while one is out.
};

struct PoolStats {
  std::size_t max_memory = 0;   // The budget.
  std::size_t used_memory = 0;  // Of it, now.
  std::size_t peak_memory = 0;  // Of it, at most so far.
  std::uint64_t loads = 0;
  std::uint64_t unloads = 0;
  std::uint64_t refusals = 0;      // Calls that ended with kOverloaded.
  std::vector<ModelStats> models;  // Loaded ones, in the order they were loaded.
};

class PoolState;  // For thimble's own layers, as PoolEntry.
struct PoolEntry;

// The right to use a model of a pool, which stays loaded meanwhile. Thread-safe: calls from several threads run at the
// same time, as far as the budget and the processors allow; more wait their turn. The processors are those that the
// process's affinity and its control groups (cpu.max, or cpu.cfs_quota_us) allow. Move-only.
class Lease {
 public:
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  // Valid as long as the lease.
  const Model& model() const;

  // Where texts are truncated, in tokens.
  std::size_t max_tokens() const;

  // As the functions of Embedder; kOverloaded when there was neither memory nor a turn within max_wait, kOutOfMemory
  // when the system refuses memory.
  Result<Report> Embed(std::string_view text, std::span<float> vector, const VectorOptions& options = {});
  Status EmbedBatch(std::span<const std::string_view> texts, std::span<float> vectors, std::span<Report> reports = {},
                    const VectorOptions& options = {});
  Result<Report> EmbedTokens(std::string_view text, std::span<float> vectors);
  Status EmbedIds(std::span<const std::int32_t> ids, std::span<float> vectors);

 private:
  friend class ModelPool;
  Lease(std::shared_ptr<PoolState> pool, PoolEntry* entry);
  std::shared_ptr<PoolState> pool_;
  PoolEntry* entry_;
};

// A part of a pool's budget, for memory that its user holds: queues, vectors not yet sent. Given back on destruction.
// Move-only.
class Reservation {
 public:
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation();

 private:
  friend class ModelPool;
  Reservation(std::shared_ptr<PoolState> pool, std::size_t bytes);
  std::shared_ptr<PoolState> pool_;
  std::size_t bytes_;
};

// Thread-safe. Leases and reservations may outlive the pool: what they hold goes when they do.
//
// A model is a name, [ORGANISATION/]NAME[@REVISION], or the path of a folder, and a dtype, as OpenModel takes them. Or
// it is the path of a model file, which ends in .safetensors; or mock or mock-hashed (see Model::Open), without a
// dtype. However a model is named, the pool has one copy of it. A name keeps to the model that it was loaded with until
// that is unloaded; what a folder opens is looked up each time.
//
// When memory is short, of the budget or of the machine (pressure stall information of Linux), idle scratch memory goes
// first, then the idle model that was not used for longest.
class ModelPool {
 public:
  // Starts one thread, which does what is due. kOutOfMemory when the system refuses it, kInvalidArgument for options
  // out of range.
  static Result<ModelPool> Create(const PoolOptions& options = {});

  ModelPool(ModelPool&&) noexcept;
  ModelPool& operator=(ModelPool&&) noexcept;
  // Waits for the pool's thread, and unloads every model that has no lease.
  ~ModelPool();

  // A lease of the model, which is loaded first unless it is; however many ask at once, it is loaded once. The errors
  // of Model::Open; kOutOfMemory when the budget is less than one text needs; kOverloaded when there was no memory
  // within max_wait, or `max_models` models stayed in use.
  Result<Lease> Acquire(std::string_view name, std::string_view dtype = "q8");

  // The plan of one call with the model, which is opened for that alone. The errors of Acquire but kOverloaded.
  Result<Plan> MakePlan(std::string_view name, std::string_view dtype = "q8") const;

  // Loads the model unless it is loaded. The errors of Acquire.
  Status Preload(std::string_view name, std::string_view dtype = "q8");
  // Loads the model and keeps it until Unpin or Unload. The errors of Acquire.
  Status Pin(std::string_view name, std::string_view dtype = "q8");
  void Unpin(std::string_view name, std::string_view dtype = "q8");
  // Waits for the model's leases to come back, unloads it, and returns when its memory is gone; at once when it is not
  // loaded. The caller must hold no lease of it.
  void Unload(std::string_view name, std::string_view dtype = "q8");

  // Takes `bytes` of the budget. kOutOfMemory when they are more than all of it, kOverloaded when they were not free
  // within `max_wait`, which is that of the pool if unset.
  Result<Reservation> Reserve(std::size_t bytes, std::optional<std::chrono::milliseconds> max_wait = {});

  // kOutOfMemory when the heap is exhausted.
  Result<PoolStats> Stats() const;

  // For thimble's own layers.
  explicit ModelPool(std::shared_ptr<PoolState> state);

 private:
  std::shared_ptr<PoolState> state_;
};

}  // namespace thimble

#endif  // THIMBLE_POOL_H_
