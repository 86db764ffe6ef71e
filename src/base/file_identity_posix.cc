// Device and inode.

#include <sys/stat.h>

#include "base/file_identity.h"

namespace thimble::inline v0_1 {
namespace {

std::optional<FileIdentity> Identity(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  return FileIdentity{static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino)};
}

}  // namespace

std::optional<FileIdentity> IdentityOf(const std::string& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 ? Identity(status) : std::nullopt;
}

std::optional<FileIdentity> IdentityOfHandle(std::intptr_t handle) {
  struct stat status = {};
  return fstat(static_cast<int>(handle), &status) == 0 ? Identity(status) : std::nullopt;
}

}  // namespace thimble::inline v0_1
