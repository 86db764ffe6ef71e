// Anonymous mappings on POSIX systems.

#include <sys/mman.h>

#include "base/arena.h"
#include "base/error.h"

namespace thimble::inline v0_1 {

Result<Mapping> Mapping::Create(std::size_t size) {
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return Error(Code::kOutOfMemory, "the system refused ", size, " bytes of scratch memory");
  Mapping mapping;
  mapping.bytes_ = {static_cast<std::byte*>(address), size};
  return mapping;
}

void Mapping::Release() {
  if (bytes_.empty()) return;
#if defined(__linux__)
  madvise(bytes_.data(), bytes_.size(), MADV_DONTNEED);
#else
  // Elsewhere that call is a hint; new pages in the place of the old ones are not.
  mmap(bytes_.data(), bytes_.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
#endif
}

Mapping::~Mapping() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
}

}  // namespace thimble::inline v0_1
