// Reading files on Windows.

#include <windows.h>

#include <algorithm>

#include "base/error.h"
#include "base/regular_file.h"
#include "base/windows_error.h"

namespace thimble::inline v0_1 {
namespace {

HANDLE AsHandle(std::intptr_t file) { return reinterpret_cast<HANDLE>(file); }

}  // namespace

Result<RegularFile> RegularFile::Open(const std::string& path) {
  const HANDLE handle = CreateFileW(WidePath(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr,
                                    OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (handle == INVALID_HANDLE_VALUE) return WindowsError("cannot open", path);
  RegularFile file(path, reinterpret_cast<std::intptr_t>(handle));
  THIMBLE_RETURN_IF_ERROR(file.Measure());
  return file;
}

Result<RegularFile> RegularFile::Share(std::intptr_t handle, const std::string& path) {
  HANDLE copy = nullptr;
  const HANDLE process = GetCurrentProcess();
  if (!DuplicateHandle(process, AsHandle(handle), process, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS)) {
    return WindowsError("cannot open", path);
  }
  RegularFile file(path, reinterpret_cast<std::intptr_t>(copy));
  THIMBLE_RETURN_IF_ERROR(file.Measure());
  return file;
}

Status RegularFile::Measure() {
  if (GetFileType(AsHandle(file_)) != FILE_TYPE_DISK) {
    return Error(Code::kInvalidArgument, path_, ": expected a regular file");
  }
  const std::optional<OpenFile> opened = Describe(file_);
  if (!opened) return WindowsError("cannot read the size of", path_);
  opened_ = *opened;
  return Status();
}

Result<FileStamp> RegularFile::StampNow() const {
  const std::optional<OpenFile> now = Describe(file_);
  if (!now) return WindowsError("cannot read the size of", path_);
  return now->stamp;
}

void RegularFile::Close() {
  if (file_ != kNone) CloseHandle(AsHandle(std::exchange(file_, kNone)));
}

Status RegularFile::ReadAt(std::uint64_t offset, std::span<std::byte> out) const {
  constexpr std::size_t kMostAtOnce = 1 << 30;
  while (!out.empty()) {
    OVERLAPPED place = {};
    place.Offset = static_cast<DWORD>(offset);
    place.OffsetHigh = static_cast<DWORD>(offset >> 32);
    DWORD count = 0;
    const auto wanted = static_cast<DWORD>(std::min(out.size(), kMostAtOnce));
    if (!ReadFile(AsHandle(file_), out.data(), wanted, &count, &place) && GetLastError() != ERROR_HANDLE_EOF) {
      return WindowsError("cannot read", path_);
    }
    if (count == 0) return Error(Code::kIo, path_, ": was truncated while it was read");
    offset += count;
    out = out.subspan(count);
  }
  return Status();
}

}  // namespace thimble::inline v0_1
