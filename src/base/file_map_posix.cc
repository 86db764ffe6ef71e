// Mapping files on POSIX systems.

#include <sys/mman.h>

#include <cerrno>

#include "base/error.h"
#include "base/file_map.h"
#include "base/regular_file.h"

namespace thimble::inline v0_1 {

Result<FileMap> FileMap::Open(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(RegularFile file, RegularFile::Open(path));
  return Of(std::move(file));
}

Result<FileMap> FileMap::Of(RegularFile file) {
  const std::string& path = file.path();
  if (file.size() == 0) return Error(Code::kCorrupt, path, ": the file is empty");
  void* address = mmap(nullptr, file.size(), PROT_READ, MAP_SHARED, static_cast<int>(file.handle()), 0);
  if (address == MAP_FAILED) return SystemError(errno, "cannot map", path);
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(address), file.size());
  return FileMap(std::move(file), bytes);
}

FileMap::~FileMap() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace thimble::inline v0_1
