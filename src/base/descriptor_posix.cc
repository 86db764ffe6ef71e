// Reads at a place until all is there.

#include <cerrno>

#include "base/descriptor.h"
#include "base/error.h"

namespace thimble::base {

Status ReadAllAt(int file, std::uint64_t offset, std::span<std::byte> out, const std::string& path) {
  while (!out.empty()) {
    const ssize_t count = pread(file, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "cannot read", path);
    if (count == 0) return Error(Code::kIo, path, ": was truncated while it was read");
    offset += static_cast<std::uint64_t>(count);
    out = out.subspan(static_cast<std::size_t>(count));
  }
  return Status();
}

}  // namespace thimble::base
