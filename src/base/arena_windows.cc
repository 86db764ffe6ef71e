// Anonymous memory on Windows.

#include <windows.h>

#include "base/arena.h"
#include "base/error.h"

namespace thimble::inline v0_1 {

Result<Mapping> Mapping::Create(std::size_t size) {
  void* address = VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (address == nullptr) return Error(Code::kOutOfMemory, "the system refused ", size, " bytes of scratch memory");
  Mapping mapping;
  mapping.bytes_ = {static_cast<std::byte*>(address), size};
  return mapping;
}

void Mapping::Release() {
  if (bytes_.empty()) return;
  // Given back and taken again at the same place, zeroed; what fails would leave the old pages, which is as good.
  if (VirtualFree(bytes_.data(), bytes_.size(), MEM_DECOMMIT)) {
    VirtualAlloc(bytes_.data(), bytes_.size(), MEM_COMMIT, PAGE_READWRITE);
  }
}

Mapping::~Mapping() {
  if (!bytes_.empty()) VirtualFree(bytes_.data(), 0, MEM_RELEASE);
}

}  // namespace thimble::inline v0_1
