// Anonymous mappings on POSIX systems.

#include "base/arena.h"

#include <sys/mman.h>

#include "base/error.h"

namespace thimble {

Result<Mapping> Mapping::Create(std::size_t size) {
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return Error(Code::kOutOfMemory, "the system refused ", size, " bytes of scratch memory");
  Mapping mapping;
  mapping.bytes_ = {static_cast<std::byte*>(address), size};
  return mapping;
}

void Mapping::Release() {
  if (!bytes_.empty()) madvise(bytes_.data(), bytes_.size(), MADV_DONTNEED);
}

Mapping::~Mapping() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
}

}  // namespace thimble
