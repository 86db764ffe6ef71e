// Volume and file index.

#include <windows.h>

#include "base/file_identity.h"
#include "base/windows_error.h"

namespace thimble::inline v0_1 {

std::optional<FileIdentity> IdentityOf(const std::string& path) {
  constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  const HANDLE handle =
      CreateFileW(WidePath(path).c_str(), 0, kShareAll, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (handle == INVALID_HANDLE_VALUE) return std::nullopt;
  const std::optional<FileIdentity> identity = IdentityOfHandle(reinterpret_cast<std::intptr_t>(handle));
  CloseHandle(handle);
  return identity;
}

std::optional<FileIdentity> IdentityOfHandle(std::intptr_t handle) {
  BY_HANDLE_FILE_INFORMATION data = {};
  if (!GetFileInformationByHandle(reinterpret_cast<HANDLE>(handle), &data)) return std::nullopt;
  if ((data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0) return std::nullopt;
  return FileIdentity{data.dwVolumeSerialNumber,
                      (static_cast<std::uint64_t>(data.nFileIndexHigh) << 32) | data.nFileIndexLow};
}

}  // namespace thimble::inline v0_1
