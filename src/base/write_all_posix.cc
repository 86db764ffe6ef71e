// Writing to descriptors.

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "base/atomic_file.h"
#include "base/error.h"

namespace thimble::inline v0_1 {
namespace {

// Calls `write_some(bytes)` until everything is written.
template <typename WriteSome>
Status Repeat(int file, std::span<const std::byte> bytes, const std::string& path, const WriteSome& write_some) {
  while (!bytes.empty()) {
    const ssize_t count = write_some(bytes);
    if (count > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (count == 0) {  // Nothing would tell when to try again.
      return Error(Code::kIo, "cannot write ", path, ": the system wrote 0 of ", bytes.size(), " bytes");
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd room = {file, POLLOUT, 0};
      if (poll(&room, 1, -1) < 0 && errno != EINTR) return SystemError(errno, "cannot write", path);
    } else if (errno != EINTR) {
      return SystemError(errno, "cannot write", path);
    }
  }
  return Status();
}

}  // namespace

Status WriteAll(int file, std::span<const std::byte> bytes, const std::string& path) {
  return Repeat(file, bytes, path,
                [&](std::span<const std::byte> rest) { return write(file, rest.data(), rest.size()); });
}

Status WriteAllAt(int file, std::uint64_t offset, std::span<const std::byte> bytes, const std::string& path) {
  const std::uint64_t end = offset + bytes.size();
  return Repeat(file, bytes, path, [&](std::span<const std::byte> rest) {
    return pwrite(file, rest.data(), rest.size(), static_cast<off_t>(end - rest.size()));
  });
}

}  // namespace thimble::inline v0_1
