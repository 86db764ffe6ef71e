// A table of paths that a signal handler can read.

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "base/leftover.h"

namespace thimble::base {
namespace {

// A pull has at most eight; threads that convert at the same time are few.
std::array<std::atomic<char*>, 64> slots;
static_assert(std::atomic<char*>::is_always_lock_free);
// In place of a path that the handler has taken, and which its owner must therefore not free.
char taken;

}  // namespace

Leftover::Leftover(const std::string& path) {
  char* copy = strdup(path.c_str());
  if (copy == nullptr) return;
  for (std::atomic<char*>& slot : slots) {
    char* none = nullptr;
    if (!slot.compare_exchange_strong(none, copy)) continue;
    slot_ = &slot;
    return;
  }
  std::free(copy);
}

Leftover::~Leftover() {
  if (slot_ == nullptr) return;
  char* path = slot_->exchange(nullptr);
  if (path != &taken) std::free(path);
}

void RemoveLeftovers() {
  std::array<char*, slots.size()> paths = {};
  for (std::size_t i = 0; i < slots.size(); ++i) {
    char* path = slots[i].load();
    if (path != nullptr && path != &taken && slots[i].compare_exchange_strong(path, &taken)) paths[i] = path;
  }
  // A folder goes only after what is in it, whichever slots they have: as many rounds as folders are nested.
  for (int round = 0; round < 4; ++round) {
    for (const char* path : paths) {
      if (path != nullptr && unlink(path) != 0) rmdir(path);
    }
  }
}

}  // namespace thimble::base
