// Anonymous memory and mappings of files, on Windows.

#include <windows.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file_map.h"
#include "base/windows_error.h"

namespace thimble::base {

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

Result<FileMap> FileMap::Of(RegularFile file) {
  const std::string& path = file.path();
  if (file.size() == 0) return Error(Code::kCorrupt, path, ": the file is empty");
  const HANDLE section =
      CreateFileMappingW(reinterpret_cast<HANDLE>(file.handle()), nullptr, PAGE_READONLY, 0, 0, nullptr);
  if (section == nullptr) return WindowsError("cannot map", path);
  const void* address = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
  const Status failure = address == nullptr ? WindowsError("cannot map", path) : Status();
  CloseHandle(section);  // The view keeps it.
  if (!failure.ok()) return failure;
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(address), file.size());
  return FileMap(std::move(file), bytes);
}

FileMap::~FileMap() {
  if (!bytes_.empty() && !is_copy()) UnmapViewOfFile(bytes_.data());
}

MappedFault FindMappedFault(const void*) { return {}; }

}  // namespace thimble::base
