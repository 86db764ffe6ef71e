// Paths of Windows, which are UTF-16, attributes of files, and reading them.

#include <windows.h>

#include <algorithm>

#include "base/error.h"
#include "base/path.h"
#include "base/regular_file.h"
#include "base/windows_error.h"

namespace thimble::base {
namespace {

// Steps of 100 ns since 1601.
std::int64_t Ticks(const FILETIME& time) {
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(time.dwHighDateTime) << 32) | time.dwLowDateTime);
}

HANDLE AsHandle(std::intptr_t file) { return reinterpret_cast<HANDLE>(file); }

}  // namespace

std::filesystem::path ToPath(const std::string& text) { return WidePath(text); }

std::string FromPath(const std::filesystem::path& path) {
  const std::wstring& wide = path.native();
  const int length = static_cast<int>(wide.size());
  const int bytes = WideCharToMultiByte(CP_UTF8, 0, wide.data(), length, nullptr, 0, nullptr, nullptr);
  std::string text(static_cast<std::size_t>(bytes), '\0');
  WideCharToMultiByte(CP_UTF8, 0, wide.data(), length, text.data(), bytes, nullptr, nullptr);
  return text;
}

Result<FileStamp> StampOf(const std::string& path) {
  WIN32_FILE_ATTRIBUTE_DATA data = {};
  if (!GetFileAttributesExW(WidePath(path).c_str(), GetFileExInfoStandard, &data)) {
    return WindowsError("cannot find", path);
  }
  if ((data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
    return Error(Code::kInvalidArgument, path, ": expected a regular file");
  }
  FileStamp stamp;
  stamp.size = (static_cast<std::uint64_t>(data.nFileSizeHigh) << 32) | data.nFileSizeLow;
  stamp.written = Ticks(data.ftLastWriteTime);
  return stamp;
}

std::optional<OpenFile> Describe(std::intptr_t handle) {
  const HANDLE opened = reinterpret_cast<HANDLE>(handle);
  BY_HANDLE_FILE_INFORMATION data = {};
  if (!GetFileInformationByHandle(opened, &data)) return std::nullopt;
  OpenFile file;
  file.stamp.size = (static_cast<std::uint64_t>(data.nFileSizeHigh) << 32) | data.nFileSizeLow;
  file.stamp.written = Ticks(data.ftLastWriteTime);
  // The file's index too, which the stamp of a path lacks here.
  file.device = (static_cast<std::uint64_t>(data.nFileIndexHigh) << 32 | data.nFileIndexLow) ^
                (static_cast<std::uint64_t>(data.dwVolumeSerialNumber) << 32);
  file.regular = GetFileType(opened) == FILE_TYPE_DISK;
  return file;
}

bool IsSettled(const FileStamp& stamp) {
  constexpr std::int64_t kStep = 20'000'000;
  FILETIME now;
  GetSystemTimeAsFileTime(&now);
  return stamp.written < Ticks(now) - kStep;
}

std::chrono::system_clock::time_point LastUseOf(const std::string& path) {
  constexpr std::int64_t kTicksTo1970 = 116'444'736'000'000'000;
  WIN32_FILE_ATTRIBUTE_DATA data = {};
  if (!GetFileAttributesExW(WidePath(path).c_str(), GetFileExInfoStandard, &data)) return {};
  const std::int64_t ticks = std::max(Ticks(data.ftLastAccessTime), Ticks(data.ftLastWriteTime)) - kTicksTo1970;
  return std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
      std::chrono::duration<std::int64_t, std::ratio<1, 10'000'000>>(ticks)));
}

std::optional<FileIdentity> IdentityOf(const std::string& path) {
  constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  const HANDLE handle =
      CreateFileW(WidePath(path).c_str(), 0, kShareAll, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (handle == INVALID_HANDLE_VALUE) return std::nullopt;
  const std::optional<FileIdentity> identity = IdentityOfHandle(reinterpret_cast<std::intptr_t>(handle));
  CloseHandle(handle);
  return identity;
}

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

}  // namespace thimble::base
