// A file that only one process can have open, asked for again and again so that waiting can be ended.

#include <windows.h>

#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "base/file_lock.h"
#include "base/path.h"
#include "base/windows_error.h"

namespace thimble::base {
namespace {

constexpr std::chrono::milliseconds kPause{50};

}  // namespace

Result<FileLock> FileLock::Acquire(const std::string& path, const std::function<bool()>& go_on) {
  for (;;) {
    const HANDLE handle = CreateFileW(WidePath(path).c_str(), GENERIC_WRITE, 0, nullptr, OPEN_ALWAYS,
                                      FILE_ATTRIBUTE_NORMAL | FILE_FLAG_DELETE_ON_CLOSE, nullptr);
    if (handle != INVALID_HANDLE_VALUE) return FileLock(path, reinterpret_cast<std::intptr_t>(handle));
    const DWORD error = GetLastError();
    if (error == ERROR_PATH_NOT_FOUND) {
      std::error_code failure;
      std::filesystem::create_directories(ToPath(path).parent_path(), failure);
      if (!failure) continue;
      return Error(Code::kIo, "cannot lock ", path, ": ", failure.message());
    }
    if (error != ERROR_SHARING_VIOLATION && error != ERROR_ACCESS_DENIED) return WindowsError("cannot lock", path);
    if (!go_on()) return Error(Code::kIo, "waiting for another process was aborted");
    std::this_thread::sleep_for(kPause);
  }
}

FileLock::FileLock(FileLock&& other) noexcept : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

FileLock::~FileLock() {
  if (file_ != -1) CloseHandle(reinterpret_cast<HANDLE>(file_));
}

}  // namespace thimble::base
