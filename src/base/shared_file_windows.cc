// ReadFile and WriteFile at a place.

#include <windows.h>
#include <winioctl.h>

#include "base/shared_file.h"
#include "base/windows_error.h"

namespace thimble::base {
namespace {

HANDLE HandleOf(std::intptr_t file) { return reinterpret_cast<HANDLE>(file); }

OVERLAPPED PlaceOf(std::uint64_t offset) {
  OVERLAPPED place = {};
  place.Offset = static_cast<DWORD>(offset);
  place.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return place;
}

}  // namespace

Result<SharedFile> SharedFile::Open(const std::string& path, bool create) {
  constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  HANDLE handle = CreateFileW(WidePath(path).c_str(), GENERIC_READ | GENERIC_WRITE, kShareAll, nullptr,
                              create ? OPEN_ALWAYS : OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  const bool writable = handle != INVALID_HANDLE_VALUE;
  if (!writable && (GetLastError() == ERROR_ACCESS_DENIED || GetLastError() == ERROR_WRITE_PROTECT)) {
    handle = CreateFileW(WidePath(path).c_str(), GENERIC_READ, kShareAll, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL,
                         nullptr);
  }
  if (handle == INVALID_HANDLE_VALUE) return WindowsError("cannot open", path);
  SharedFile opened(path, reinterpret_cast<std::intptr_t>(handle), writable);
  if (GetFileType(handle) != FILE_TYPE_DISK) return Error(Code::kInvalidArgument, path, ": expected a regular file");
  return opened;
}

SharedFile::~SharedFile() {
  if (file_ != kNone) CloseHandle(HandleOf(file_));
}

Result<std::uint64_t> SharedFile::Size() const {
  LARGE_INTEGER size = {};
  if (!GetFileSizeEx(HandleOf(file_), &size)) return WindowsError("cannot read the size of", path_);
  return static_cast<std::uint64_t>(size.QuadPart);
}

Status SharedFile::Grow(std::uint64_t size) {
  DWORD none = 0;  // Without holes, the file takes all of its room at once.
  DeviceIoControl(HandleOf(file_), FSCTL_SET_SPARSE, nullptr, 0, nullptr, 0, &none, nullptr);
  FILE_END_OF_FILE_INFO end = {};
  end.EndOfFile.QuadPart = static_cast<LONGLONG>(size);
  if (SetFileInformationByHandle(HandleOf(file_), FileEndOfFileInfo, &end, sizeof end)) return Status();
  return WindowsError("cannot grow", path_);
}

bool SharedFile::AllowsSize(std::uint64_t) { return true; }

bool SharedFile::ReadAt(std::uint64_t offset, std::span<std::byte> out) const {
  OVERLAPPED place = PlaceOf(offset);
  DWORD count = 0;
  return ReadFile(HandleOf(file_), out.data(), static_cast<DWORD>(out.size()), &count, &place) && count == out.size();
}

bool SharedFile::WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) const {
  OVERLAPPED place = PlaceOf(offset);
  DWORD count = 0;
  return WriteFile(HandleOf(file_), bytes.data(), static_cast<DWORD>(bytes.size()), &count, &place) &&
         count == bytes.size();
}

}  // namespace thimble::base
