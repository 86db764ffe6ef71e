// Loops whose rounds a team of threads takes in turn.

#ifndef THIMBLE_CONVERT_PARALLEL_H_
#define THIMBLE_CONVERT_PARALLEL_H_

#include <atomic>
#include <cstddef>
#include <new>

#include "base/thread_team.h"

namespace thimble::convert {

// Calls work(i, member) once for each i below `count`. Each round is computed by one thread, so that a result does not
// depend on their number. std::bad_alloc in a round is thrown again here, in the calling thread.
template <typename Work>
void ForEach(base::ThreadTeam& team, std::size_t count, Work work) {
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> exhausted = false;
  team.Run([&](std::size_t member) {
    try {
      for (std::size_t i; (i = next.fetch_add(1)) < count;) work(i, member);
    } catch (const std::bad_alloc&) {
      exhausted = true;
    }
  });
  if (exhausted) throw std::bad_alloc();
}

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_PARALLEL_H_
