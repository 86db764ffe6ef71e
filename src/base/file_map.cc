// Mapping files on POSIX systems.

#include "base/file_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace thimble {

Result<FileMap> FileMap::Open(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // O_NONBLOCK: a FIFO must not hang the caller.
  if (file < 0) return SystemError(errno, "cannot open", path);
  struct stat status;
  if (fstat(file, &status) != 0) {
    int error = errno;
    close(file);
    return SystemError(error, "cannot read the size of", path);
  }
  if (!S_ISREG(status.st_mode)) {
    close(file);
    return Error(Code::kInvalidArgument, path, ": expected a regular file");
  }
  if (status.st_size == 0) {
    close(file);
    return Error(Code::kCorrupt, path, ": the file is empty");
  }
  auto size = static_cast<std::size_t>(status.st_size);
  void* address = mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  int error = errno;
  close(file);
  if (address == MAP_FAILED) return SystemError(error, "cannot map", path);
  return FileMap({static_cast<const std::byte*>(address), size});
}

FileMap::~FileMap() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace thimble
