// Attributes of files on Windows.

#include <windows.h>

#include <algorithm>

#include "base/file_stamp.h"
#include "base/windows_error.h"

namespace thimble::inline v0_1 {
namespace {

// Steps of 100 ns since 1601.
std::int64_t Ticks(const FILETIME& time) {
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(time.dwHighDateTime) << 32) | time.dwLowDateTime);
}

}  // namespace

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

}  // namespace thimble::inline v0_1
