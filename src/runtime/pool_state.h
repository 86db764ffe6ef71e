// What a ModelPool, its leases and its reservations share: models, their embedders, and one account of memory.

#ifndef THIMBLE_RUNTIME_POOL_STATE_H_
#define THIMBLE_RUNTIME_POOL_STATE_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fork.h"
#include "base/guard.h"
#include "base/thread.h"
#include "runtime/clock.h"
#include "runtime/session.h"
#include "thimble/pool.h"

namespace thimble::runtime {

// One session of a model. Its memory is taken from the budget: `fixed_bytes` while it exists, `scratch_bytes` while
// `resident`.
struct PoolSlot {
  std::unique_ptr<Session> session;
  std::size_t fixed_bytes = 0;
  std::size_t scratch_bytes = 0;
  bool busy = true;
  bool resident = true;
  Clock::Time idle_since;
};

// One model. All but `model` and `max_tokens` belongs to the pool's mutex.
struct PoolEntry {
  enum class State { kLoading, kReady, kUnloading, kGone };

  std::string name;                // As it was first asked for.
  std::string dtype;               // Empty for the path of a model file and for a mock.
  std::string path;                // Of the model file.
  std::vector<std::string> names;  // That it was found by.
  State state = State::kLoading;
  Status status;           // Why it could not be loaded.
  bool has_place = false;  // Counts among max_models.
  std::shared_ptr<const Model> model;
  std::size_t max_tokens = 0;
  std::size_t fixed_bytes = 0;  // Taken from the budget.
  std::size_t leases = 0;
  std::uint64_t uses = 0;
  bool pinned = false;
  bool outdated = false;  // Its file has changed: nothing finds it any more, and it goes with its last lease.
  Clock::Time last_use;
  std::vector<std::unique_ptr<PoolSlot>> slots;

  // Whether it may be unloaded.
  bool idle() const { return state == State::kReady && leases == 0 && !pinned; }
};

// What a pool sees of the world; tests have their own.
struct PoolEnvironment {
  std::shared_ptr<Clock> clock = std::make_shared<SteadyClock>();
  std::string pressure_file = "/proc/pressure/memory";
  std::size_t processors = 0;  // 0 means UsableProcessors().
};

// Thread-safe. Every function that takes a lock is called with the mutex held, and may release it meanwhile. In the
// child of a fork() the calls of other threads are over, their embedders gone, and models that they were loading or
// unloading not loaded; leases and reservations that other threads had remain.
class PoolState {
 public:
  // kInvalidArgument for options out of range.
  static Result<std::shared_ptr<PoolState>> Create(PoolOptions options, PoolEnvironment environment);
  PoolState(PoolOptions options, PoolEnvironment environment);

  // Ends the thread, and unloads what has no lease.
  void Close();

  // One lease more, of a model that is loaded; Return takes it back.
  Result<PoolEntry*> Acquire(std::string_view name, std::string_view dtype, bool pin);
  void Return(PoolEntry& entry);
  // What use(session) comes to with a session of the entry that nobody else uses meanwhile. Neither throws.
  template <typename Function>
  auto Use(PoolEntry& entry, Function&& use) -> decltype(use(std::declval<Session&>())) {
    return base::Guarded([&]() -> decltype(use(std::declval<Session&>())) {
      Result<PoolSlot*> slot = BeginUse(entry);
      if (!slot.ok()) return slot.status();
      auto result = use(*(*slot)->session);
      EndUse(**slot);
      return result;
    });
  }

  Result<Plan> MakePlan(std::string_view name, std::string_view dtype) const;
  void Unpin(std::string_view name, std::string_view dtype);
  void Unload(std::string_view name, std::string_view dtype);
  Status Reserve(std::size_t bytes, std::optional<std::chrono::milliseconds> max_wait);
  void GiveBack(std::size_t bytes);
  PoolStats Stats();

 private:
  using Lock = std::unique_lock<std::mutex>;
  using State = PoolEntry::State;

  // Begins every function of the public part: the mutex, and what no thread of the pool does.
  Lock Enter();
  // Makes the state of the process that this one was forked from one of this process.
  void TakeOver();

  Result<PoolSlot*> BeginUse(PoolEntry& entry);
  void EndUse(PoolSlot& slot);
  // The model, for which PlanTile found room in the budget. `of_file` is the dtype that the file must have, or empty.
  Result<std::shared_ptr<const Model>> OpenPlanned(const std::string& path, std::string_view of_file, Plan& plan) const;
  std::shared_ptr<PoolEntry> Find(std::string_view name, std::string_view dtype) const;
  std::shared_ptr<PoolEntry> FindPath(std::string_view path) const;
  // By a name that may not have been used for it yet.
  std::shared_ptr<PoolEntry> FindLoaded(Lock& lock, std::string_view name, std::string_view dtype) const;
  // Makes `name` one that finds the entry, and no other.
  void AddName(PoolEntry& entry, std::string_view name);
  Status Load(Lock& lock, PoolEntry& entry, std::string_view of_file, Clock::Time deadline);
  void UnloadNow(Lock& lock, PoolEntry& entry);
  void Forget(PoolEntry& entry);

  // An embedder of the entry with its memory, busy from now on.
  Result<PoolSlot*> TakeSlot(Lock& lock, PoolEntry& entry, Clock::Time deadline);
  Result<PoolSlot*> AddSlot(Lock& lock, PoolEntry& entry, const Plan& plan);

  // The account.
  bool Fits(std::size_t bytes) const { return bytes <= max_memory_ - used_memory_; }
  void Charge(std::size_t bytes);
  Status TakeMemory(Lock& lock, std::size_t bytes, Clock::Time deadline);
  // Makes the idle memory that matters least free; false when there is none.
  bool ReleaseIdle(Lock& lock);
  void ReleaseSlot(PoolSlot& slot);
  // Waits for a change; kOverloaded when the time is over.
  Status AwaitChange(Lock& lock, Clock::Time deadline, std::string_view what);

  // The thread. Where the system refuses it, every call does what is due, and tries again.
  static void* RunThread(void* self);
  void StartThread();
  // Does what is due and says when the next thing will be.
  Clock::Time DoWhatIsDue(Lock& lock);
  void WakeFor(Clock::Time time);
  Clock::Time UnloadTime(const PoolEntry& entry) const;  // kNever while it must stay.
  bool UnderPressure() const;

  const PoolOptions options_;
  const PoolEnvironment environment_;
  Clock& clock_;
  const std::size_t turns_;  // Calls at work at the same time.
  const std::size_t max_memory_;

  base::ForkMutex mutex_;
  std::uint32_t fork_ = base::ForkNumber();  // Of which the state is.
  std::condition_variable changed_;          // Anything that a caller may wait for.
  std::condition_variable due_;              // Something is due earlier than the thread knows, or the end.
  std::vector<std::shared_ptr<PoolEntry>> entries_;
  std::size_t places_ = 0;
  std::size_t at_work_ = 0;
  std::size_t used_memory_ = 0;
  std::size_t peak_memory_ = 0;
  std::uint64_t loads_ = 0;
  std::uint64_t unloads_ = 0;
  std::uint64_t refusals_ = 0;
  bool closed_ = false;
  Clock::Time next_due_ = Clock::kNever;
  Clock::Time pressure_read_;
  base::Thread thread_;
  bool has_thread_ = false;
};

}  // namespace thimble::runtime

#endif  // THIMBLE_RUNTIME_POOL_STATE_H_
