// Mapping files on Windows.

#include <windows.h>

#include "base/file_map.h"
#include "base/windows_error.h"

namespace thimble::inline v0_1 {

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

}  // namespace thimble::inline v0_1
