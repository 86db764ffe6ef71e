// The account of a pool's memory, and the thread that gives it back.

#include <algorithm>

#include "base/error.h"
#include "base/proc_file.h"
#include "runtime/engine.h"
#include "runtime/pool_state.h"

namespace thimble::runtime {
namespace {

using std::chrono::milliseconds;

// How often the machine's memory pressure is looked at while something idle is held.
constexpr auto kPressurePeriod = std::chrono::seconds(1);
// Share of the last 10 seconds, in percent, in which some process waited for memory, from which on idle memory goes.
constexpr double kPressureShare = 10;

}  // namespace

void PoolState::Charge(std::size_t bytes) {
  used_memory_ += bytes;
  peak_memory_ = std::max(peak_memory_, used_memory_);
}

Status PoolState::TakeMemory(Lock& lock, std::size_t bytes, Clock::Time deadline) {
  if (bytes > max_memory_) {
    return Error(Code::kOutOfMemory, "needs ", bytes, " bytes, but only ", max_memory_,
                 " are allowed; raise `max_memory`");
  }
  while (!Fits(bytes)) {
    if (!ReleaseIdle(lock)) THIMBLE_RETURN_IF_ERROR(AwaitChange(lock, deadline, "memory"));
  }
  Charge(bytes);
  return Status();
}

Status PoolState::Reserve(std::size_t bytes, std::optional<std::chrono::milliseconds> max_wait) {
  const Clock::Time deadline = clock_.Now() + max_wait.value_or(options_.max_wait);
  Lock lock = Enter();
  return TakeMemory(lock, bytes, deadline);
}

void PoolState::GiveBack(std::size_t bytes) {
  Lock lock = Enter();
  used_memory_ -= bytes;
  changed_.notify_all();
}

bool PoolState::ReleaseIdle(Lock& lock) {
  PoolSlot* slot = nullptr;
  PoolEntry* oldest = nullptr;
  for (const std::shared_ptr<PoolEntry>& entry : entries_) {
    if (entry->state != State::kReady) continue;
    for (const std::unique_ptr<PoolSlot>& other : entry->slots) {
      if (other->busy || !other->resident || other->scratch_bytes == 0) continue;
      if (slot == nullptr || other->idle_since < slot->idle_since) slot = other.get();
    }
    if (!entry->idle()) continue;
    if (oldest == nullptr || entry->last_use < oldest->last_use) oldest = entry.get();
  }
  if (slot != nullptr) {
    ReleaseSlot(*slot);
  } else if (oldest != nullptr) {
    UnloadNow(lock, *oldest);
  }
  return slot != nullptr || oldest != nullptr;
}

void PoolState::ReleaseSlot(PoolSlot& slot) {
  slot.session->Release();
  slot.resident = false;
  used_memory_ -= slot.scratch_bytes;
  changed_.notify_all();
}

Status PoolState::AwaitChange(Lock& lock, Clock::Time deadline, std::string_view what) {
  if (clock_.Now() >= deadline) {
    ++refusals_;
    return Error(Code::kOverloaded, "busy: no ", what, " became free within ", options_.max_wait.count(),
                 " ms (calls running: ", at_work_, ", models loaded: ", places_, ", memory used: ", used_memory_,
                 " of ", max_memory_, " bytes); try again later");
  }
  clock_.WaitUntil(changed_, lock, deadline);
  return Status();
}

void PoolState::StartThread() {
  if (!closed_) has_thread_ = thread_.Start(RunThread, this).ok();
}

void* PoolState::RunThread(void* self) {
  PoolState& pool = *static_cast<PoolState*>(self);
  Lock lock(pool.mutex_);
  while (!pool.closed_) {
    pool.next_due_ = pool.DoWhatIsDue(lock);
    if (!pool.closed_) pool.clock_.WaitUntil(pool.due_, lock, pool.next_due_);
  }
  return nullptr;
}

Clock::Time PoolState::DoWhatIsDue(Lock& lock) {
  for (;;) {
    const Clock::Time now = clock_.Now();
    Clock::Time next = Clock::kNever;
    bool idle = false, done = false;
    for (const std::shared_ptr<PoolEntry>& entry : entries_) {
      if (entry->state != State::kReady) continue;
      const Clock::Time unload = UnloadTime(*entry);
      idle |= entry->idle();
      if (unload <= now) {
        UnloadNow(lock, *entry);
        done = true;
        break;
      }
      next = std::min(next, unload);
      for (const std::unique_ptr<PoolSlot>& slot : entry->slots) {
        if (slot->busy || !slot->resident || slot->scratch_bytes == 0) continue;
        idle = true;
        if (slot->idle_since + options_.release_after <= now) {
          ReleaseSlot(*slot);
          continue;
        }
        next = std::min(next, slot->idle_since + options_.release_after);
      }
    }
    if (done) continue;  // The lock was released, so that anything may have changed.
    if (!idle) return next;
    if (pressure_read_ + kPressurePeriod <= now) {
      pressure_read_ = now;
      if (UnderPressure() && ReleaseIdle(lock)) {
        while (ReleaseIdle(lock)) continue;
        continue;
      }
    }
    return std::min(next, pressure_read_ + kPressurePeriod);
  }
}

void PoolState::WakeFor(Clock::Time time) {
  if (time >= next_due_) return;
  next_due_ = time;
  if (has_thread_) {
    due_.notify_one();
  } else {
    StartThread();
  }
}

Clock::Time PoolState::UnloadTime(const PoolEntry& entry) const {
  return entry.idle() && options_.unload_after ? entry.last_use + *options_.unload_after : Clock::kNever;
}

bool PoolState::UnderPressure() const {
  return base::ProcFile(environment_.pressure_file.c_str()).Number("some avg10=").value_or(0) >= kPressureShare;
}

PoolStats PoolState::Stats() {
  Lock lock = Enter();
  PoolStats stats = {.max_memory = max_memory_,
                     .used_memory = used_memory_,
                     .peak_memory = peak_memory_,
                     .loads = loads_,
                     .unloads = unloads_,
                     .refusals = refusals_,
                     .models = {}};
  if (options_.embedder.cache != nullptr) stats.cache = options_.embedder.cache->stats();
  for (const std::shared_ptr<PoolEntry>& entry : entries_) {
    if (entry->state != State::kReady) continue;
    ModelStats& model = stats.models.emplace_back();
    model.name = entry->name;
    model.dtype = entry->dtype;
    model.mapped_bytes = entry->model->engine().MappedBytes();
    model.private_bytes = entry->fixed_bytes;
    for (const std::unique_ptr<PoolSlot>& slot : entry->slots) {
      model.private_bytes += slot->fixed_bytes + (slot->resident ? slot->scratch_bytes : 0);
    }
    model.leases = entry->leases;
    model.uses = entry->uses;
    model.pinned = entry->pinned;
    if (entry->leases == 0) model.idle = std::chrono::duration_cast<milliseconds>(clock_.Now() - entry->last_use);
  }
  return stats;
}

}  // namespace thimble::runtime
