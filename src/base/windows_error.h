// Failures of Windows as a Status.

#ifndef THIMBLE_BASE_WINDOWS_ERROR_H_
#define THIMBLE_BASE_WINDOWS_ERROR_H_

#include <windows.h>

#include <string>
#include <string_view>
#include <system_error>

#include "base/error.h"

namespace thimble::base {

// "what path: text", with the code for GetLastError().
inline Status WindowsError(std::string_view what, std::string_view path) {
  const DWORD error = GetLastError();
  Code code = Code::kIo;
  if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND) code = Code::kNotFound;
  if (error == ERROR_NOT_ENOUGH_MEMORY || error == ERROR_COMMITMENT_LIMIT) code = Code::kOutOfMemory;
  return Error(code, what, " ", path, ": ", std::system_category().message(static_cast<int>(error)));
}

// UTF-16 of UTF-8; empty when it is not UTF-8.
inline std::wstring WidePath(const std::string& path) {
  const int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path.c_str(), -1, nullptr, 0);
  if (length <= 1) return std::wstring();
  std::wstring wide(static_cast<std::size_t>(length - 1), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), length);
  return wide;
}

}  // namespace thimble::base

#endif  // THIMBLE_BASE_WINDOWS_ERROR_H_
