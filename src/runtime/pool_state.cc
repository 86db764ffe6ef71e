// Loading, leasing, embedding and unloading.

#include "runtime/pool_state.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "base/processors.h"
#include "runtime/engine.h"
#include "runtime/engines.h"
#include "runtime/plan.h"
#include "store/lookup.h"
#include "store/name.h"
#include "thimble/cache.h"
#include "thimble/memory.h"

namespace thimble::runtime {
namespace {

using std::chrono::milliseconds;

// Releases a lock for the length of a scope.
class Unlocked {
 public:
  explicit Unlocked(std::unique_lock<std::mutex>& lock) : lock_(lock) { lock_.unlock(); }
  ~Unlocked() { lock_.lock(); }

 private:
  std::unique_lock<std::mutex>& lock_;
};

// Under which dtype a model is kept.
std::string_view KeyDtype(std::string_view name, std::string_view dtype) {
  return store::IsFileOrMock(name) ? "" : store::DtypeOrDefault(dtype);
}

// The model file, or what stands for it where a mock is put in place of every model.
Result<std::string> FindFile(std::string_view name, std::string_view dtype, const std::string& folder) {
  Result<std::string> found = store::Lookup(name, dtype, folder);
  const bool mocked = !found.ok() && found.status().code() == Code::kNotFound && FilesAreReplaced();
  return mocked ? std::string(name) : found;
}

std::size_t Turns(std::size_t processors, std::size_t threads) {
  return std::max<std::size_t>(1, processors / threads);
}

std::size_t Budget(std::size_t asked) {
  if (asked != 0) return asked;
  const std::size_t limit = MemoryLimit();
  return limit == 0 ? kNoLimit : limit / 2;
}

}  // namespace

PoolState::PoolState(PoolOptions options, PoolEnvironment environment)
    : options_(std::move(options)),
      environment_(std::move(environment)),
      clock_(*environment_.clock),
      turns_(Turns(environment_.processors, options_.embedder.threads)),
      max_memory_(Budget(options_.max_memory)),
      pressure_read_(clock_.Now()) {}

Result<std::shared_ptr<PoolState>> PoolState::Create(PoolOptions options, PoolEnvironment environment) {
  if (options.embedder.threads < 1 || options.embedder.threads > kMaxThreads) {
    return Error(Code::kInvalidArgument, "`threads`: expected 1 to ", kMaxThreads, ", found ",
                 options.embedder.threads);
  }
  for (milliseconds time : {options.release_after, options.max_wait, options.unload_after.value_or(milliseconds(0))}) {
    if (time.count() < 0) {
      return Error(Code::kInvalidArgument,
                   "`release_after`, `max_wait` and `unload_after`: expected 0 ms or more, found ", time.count());
    }
  }
  if (options.folder.empty()) options.folder = CacheFolder();
  if (environment.processors == 0) environment.processors = base::UsableProcessors();
  auto state = std::make_shared<PoolState>(std::move(options), std::move(environment));
  Lock lock(state->mutex_);
  state->StartThread();
  return state;
}

PoolState::Lock PoolState::Enter() {
  Lock lock(mutex_);
  if (fork_ != base::ForkNumber()) TakeOver();
  if (!has_thread_ && !closed_) {
    next_due_ = DoWhatIsDue(lock);
    if (next_due_ != Clock::kNever) StartThread();
  }
  return lock;
}

void PoolState::TakeOver() {
  fork_ = base::ForkNumber();
  // Their waiters do not exist, but would be waited for.
  new (&changed_) std::condition_variable;
  new (&due_) std::condition_variable;
  has_thread_ = false;
  at_work_ = 0;
  auto halfway = [](const std::shared_ptr<PoolEntry>& entry) { return entry->state != State::kReady; };
  for (auto found = entries_.begin();
       (found = std::find_if(entries_.begin(), entries_.end(), halfway)) != entries_.end();) {
    Forget(**found);
  }
  for (const std::shared_ptr<PoolEntry>& entry : entries_) {
    std::erase_if(entry->slots, [&](const std::unique_ptr<PoolSlot>& slot) {
      if (slot->busy) used_memory_ -= slot->fixed_bytes + slot->scratch_bytes;
      return slot->busy;
    });
  }
}

void PoolState::Close() {
  {
    Lock lock = Enter();
    closed_ = true;
    due_.notify_all();
  }
  thread_.Join();
  Lock lock = Enter();
  for (;;) {
    auto idle = std::find_if(entries_.begin(), entries_.end(), [](const std::shared_ptr<PoolEntry>& entry) {
      return entry->state == State::kReady && entry->leases == 0;
    });
    if (idle == entries_.end()) return;
    UnloadNow(lock, **idle);
  }
}

std::shared_ptr<PoolEntry> PoolState::Find(std::string_view name, std::string_view dtype) const {
  for (const std::shared_ptr<PoolEntry>& entry : entries_) {
    if (entry->outdated || entry->dtype != KeyDtype(name, dtype)) continue;
    if (std::find(entry->names.begin(), entry->names.end(), name) != entry->names.end()) return entry;
  }
  return nullptr;
}

std::shared_ptr<PoolEntry> PoolState::FindPath(std::string_view path) const {
  for (const std::shared_ptr<PoolEntry>& entry : entries_) {
    if (!entry->outdated && entry->path == path) return entry;
  }
  return nullptr;
}

std::shared_ptr<PoolEntry> PoolState::FindLoaded(Lock& lock, std::string_view name, std::string_view dtype) const {
  if (std::shared_ptr<PoolEntry> entry = Find(name, dtype)) return entry;
  const Result<std::string> path = [&] {
    Unlocked unlocked(lock);
    return base::Guarded([&] { return FindFile(name, dtype, options_.folder); });
  }();
  return path.ok() ? FindPath(*path) : nullptr;
}

void PoolState::AddName(PoolEntry& entry, std::string_view name) {
  if (std::find(entry.names.begin(), entry.names.end(), name) != entry.names.end()) return;
  entry.names.emplace_back(name);
  for (const std::shared_ptr<PoolEntry>& other : entries_) {
    if (other.get() != &entry && other->dtype == entry.dtype) std::erase(other->names, name);
  }
}

Result<PoolEntry*> PoolState::Acquire(std::string_view name, std::string_view dtype, bool pin) {
  const Clock::Time deadline = clock_.Now() + options_.max_wait;
  Lock lock = Enter();
  std::string path;
  if (const std::shared_ptr<PoolEntry> entry = Find(name, dtype)) path = entry->path;
  // What a folder opens may have changed since it was loaded.
  if (path.empty() || store::IsFolder(name)) {
    Unlocked unlocked(lock);
    THIMBLE_ASSIGN_OR_RETURN(path, FindFile(name, dtype, options_.folder));
  }
  const std::string_view of_file = path == name ? dtype : std::string_view();
  for (std::shared_ptr<PoolEntry> entry; (entry = FindPath(path)) != nullptr;) {
    if (entry->state == State::kReady) {
      THIMBLE_RETURN_IF_ERROR(entry->model->engine().CheckDtype(of_file));
      AddName(*entry, name);
      ++entry->leases;
      const bool changed = [&] {
        Unlocked unlocked(lock);
        const ModelFile* file = entry->model->engine().file();
        return file != nullptr && file->IsOutdated();
      }();
      if (!changed) {
        ++entry->uses;
        entry->pinned |= pin;
        return entry.get();
      }
      entry->outdated = true;
      pin |= std::exchange(entry->pinned, false);
      if (--entry->leases == 0) UnloadNow(lock, *entry);
      continue;
    }
    // Another caller is loading or unloading it.
    changed_.wait(lock, [&] { return entry->state == State::kReady || entry->state == State::kGone; });
    if (!entry->status.ok()) return entry->status;
  }
  auto entry = std::make_shared<PoolEntry>();
  entry->name = name;
  entry->dtype = KeyDtype(name, dtype);
  entry->path = std::move(path);
  AddName(*entry, name);
  entries_.push_back(entry);  // Last of what may throw: an entry here that nobody loads would be waited for.
  Status status = base::Guarded([&] { return Load(lock, *entry, of_file, deadline); });
  if (status.ok()) {
    entry->state = State::kReady;
    entry->leases = entry->uses = 1;
    entry->pinned = pin;
    ++loads_;
    changed_.notify_all();
    return entry.get();
  }
  // An argument of this call says nothing to those that wait for the entry, and load it themselves.
  if (status.code() != Code::kInvalidArgument) entry->status = base::Guarded([&] { return status; });
  Forget(*entry);
  return status;
}

Result<std::shared_ptr<const Model>> PoolState::OpenPlanned(const std::string& path, std::string_view of_file,
                                                            Plan& plan) const {
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, Model::Open(path, options_.open));
  THIMBLE_RETURN_IF_ERROR(model->engine().CheckDtype(of_file));
  const std::size_t of_call = options_.embedder.max_memory;
  const bool by_call = of_call != 0 && of_call < max_memory_;
  THIMBLE_ASSIGN_OR_RETURN(plan, PlanTile(model->engine(), options_.embedder, by_call ? of_call : max_memory_,
                                          by_call ? "embedder.max_memory" : "max_memory"));
  return model;
}

Result<Plan> PoolState::MakePlan(std::string_view name, std::string_view dtype) const {
  Plan plan;
  THIMBLE_ASSIGN_OR_RETURN(const std::string path, FindFile(name, dtype, options_.folder));
  THIMBLE_RETURN_IF_ERROR(OpenPlanned(path, path == name ? dtype : std::string_view(), plan).status());
  return plan;
}

Status PoolState::Load(Lock& lock, PoolEntry& entry, std::string_view of_file, Clock::Time deadline) {
  while (options_.max_models != 0 && places_ >= options_.max_models) {
    PoolEntry* oldest = nullptr;
    for (const std::shared_ptr<PoolEntry>& other : entries_) {
      if (other->idle() && (oldest == nullptr || other->last_use < oldest->last_use)) oldest = other.get();
    }
    if (oldest != nullptr) {
      UnloadNow(lock, *oldest);
    } else {
      THIMBLE_RETURN_IF_ERROR(AwaitChange(lock, deadline, "place among `max_models`"));
    }
  }
  ++places_;
  entry.has_place = true;
  std::shared_ptr<const Model> model;
  {
    Unlocked unlocked(lock);
    Plan plan;
    THIMBLE_ASSIGN_OR_RETURN(model, OpenPlanned(entry.path, of_file, plan));
    entry.max_tokens = plan.max_tokens;
  }
  const std::size_t bytes = model->engine().FixedBytes();
  THIMBLE_RETURN_IF_ERROR(TakeMemory(lock, bytes, deadline));
  entry.fixed_bytes = bytes;
  entry.model = std::move(model);
  return Status();
}

void PoolState::Return(PoolEntry& entry) {
  Lock lock = Enter();
  if (--entry.leases > 0) return;
  entry.last_use = clock_.Now();
  changed_.notify_all();
  const Clock::Time time = UnloadTime(entry);
  if (closed_ || entry.outdated || time <= entry.last_use) {
    UnloadNow(lock, entry);
  } else {
    WakeFor(time);
  }
}

void PoolState::UnloadNow(Lock& lock, PoolEntry& entry) {
  entry.state = State::kUnloading;
  for (const std::unique_ptr<PoolSlot>& slot : entry.slots) {
    entry.fixed_bytes += slot->fixed_bytes + (slot->resident ? slot->scratch_bytes : 0);
  }
  {
    // Out of the entry, which has no half of them for the child of a fork.
    auto slots = std::exchange(entry.slots, {});
    auto model = std::exchange(entry.model, nullptr);
    Unlocked unlocked(lock);
    slots.clear();
    model.reset();
  }
  ++unloads_;
  Forget(entry);
}

void PoolState::Forget(PoolEntry& entry) {
  entry.state = State::kGone;
  used_memory_ -= std::exchange(entry.fixed_bytes, 0);
  if (std::exchange(entry.has_place, false)) --places_;
  auto found = std::find_if(entries_.begin(), entries_.end(),
                            [&](const std::shared_ptr<PoolEntry>& other) { return other.get() == &entry; });
  entries_.erase(found);
  changed_.notify_all();
}

void PoolState::Unpin(std::string_view name, std::string_view dtype) {
  Lock lock = Enter();
  std::shared_ptr<PoolEntry> entry = FindLoaded(lock, name, dtype);
  if (entry == nullptr || !std::exchange(entry->pinned, false)) return;
  WakeFor(UnloadTime(*entry));
}

void PoolState::Unload(std::string_view name, std::string_view dtype) {
  Lock lock = Enter();
  std::shared_ptr<PoolEntry> entry = FindLoaded(lock, name, dtype);
  if (entry == nullptr) return;
  changed_.wait(lock,
                [&] { return entry->state == State::kGone || (entry->state == State::kReady && entry->leases == 0); });
  if (entry->state == State::kReady) UnloadNow(lock, *entry);
}

Result<PoolSlot*> PoolState::BeginUse(PoolEntry& entry) {
  const Clock::Time deadline = clock_.Now() + options_.max_wait;
  Lock lock = Enter();
  return TakeSlot(lock, entry, deadline);
}

void PoolState::EndUse(PoolSlot& slot) {
  Lock lock = Enter();
  --at_work_;
  slot.busy = false;
  slot.idle_since = clock_.Now();
  changed_.notify_all();
  WakeFor(slot.idle_since + options_.release_after);
}

Result<PoolSlot*> PoolState::TakeSlot(Lock& lock, PoolEntry& entry, Clock::Time deadline) {
  for (;;) {
    if (at_work_ >= turns_) {
      THIMBLE_RETURN_IF_ERROR(AwaitChange(lock, deadline, "turn"));
      continue;
    }
    PoolSlot* idle = nullptr;
    for (const std::unique_ptr<PoolSlot>& slot : entry.slots) {
      if (!slot->busy && (idle == nullptr || slot->resident)) idle = slot.get();
    }
    if (idle != nullptr && !idle->resident && Fits(idle->scratch_bytes)) {
      Charge(idle->scratch_bytes);
      idle->resident = true;
    }
    if (idle != nullptr && idle->resident) {
      idle->busy = true;
      ++at_work_;
      return idle;
    }
    if (idle == nullptr) {
      // The model's own memory is taken already.
      std::size_t allowed = max_memory_ - used_memory_;
      allowed += std::min(entry.fixed_bytes, kNoLimit - allowed);
      if (options_.embedder.max_memory != 0) allowed = std::min(allowed, options_.embedder.max_memory);
      Result<Plan> plan = PlanTile(entry.model->engine(), options_.embedder, allowed);
      if (plan.ok()) return AddSlot(lock, entry, *plan);
      if (plan.status().code() != Code::kOutOfMemory) return plan.status();
    }
    if (!ReleaseIdle(lock)) THIMBLE_RETURN_IF_ERROR(AwaitChange(lock, deadline, "scratch memory"));
  }
}

Result<PoolSlot*> PoolState::AddSlot(Lock& lock, PoolEntry& entry, const Plan& plan) {
  auto added = std::make_unique<PoolSlot>();
  PoolSlot* slot = added.get();
  entry.slots.push_back(std::move(added));
  slot->fixed_bytes = plan.fixed_bytes - entry.fixed_bytes;
  slot->scratch_bytes = plan.threads * plan.scratch_bytes;
  Charge(slot->fixed_bytes + slot->scratch_bytes);
  ++at_work_;
  EmbedderOptions options = options_.embedder;
  options.max_memory = plan.peak_bytes;
  Result<std::unique_ptr<Session>> made = [&] {
    Unlocked unlocked(lock);
    return base::Guarded([&] { return Session::Create(entry.model, options); });
  }();
  if (made.ok()) {
    const Plan& granted = (*made)->plan();  // Of fewer threads, where the system refused some.
    if (granted.threads < plan.threads) {
      used_memory_ -= slot->fixed_bytes + slot->scratch_bytes;
      slot->fixed_bytes = granted.fixed_bytes - entry.fixed_bytes;
      slot->scratch_bytes = granted.threads * granted.scratch_bytes;
      used_memory_ += slot->fixed_bytes + slot->scratch_bytes;
      changed_.notify_all();
    }
    slot->session = *std::move(made);
    return slot;
  }
  --at_work_;
  used_memory_ -= slot->fixed_bytes + slot->scratch_bytes;
  std::erase_if(entry.slots, [&](const std::unique_ptr<PoolSlot>& other) { return other.get() == slot; });
  changed_.notify_all();
  return made.status();
}

}  // namespace thimble::runtime
