// Paths of Windows, which are UTF-16.

#include <windows.h>

#include "base/path.h"
#include "base/windows_error.h"

namespace thimble::inline v0_1 {

std::filesystem::path ToPath(const std::string& text) { return WidePath(text); }

std::string FromPath(const std::filesystem::path& path) {
  const std::wstring& wide = path.native();
  const int length = static_cast<int>(wide.size());
  const int bytes = WideCharToMultiByte(CP_UTF8, 0, wide.data(), length, nullptr, 0, nullptr, nullptr);
  std::string text(static_cast<std::size_t>(bytes), '\0');
  WideCharToMultiByte(CP_UTF8, 0, wide.data(), length, text.data(), bytes, nullptr, nullptr);
  return text;
}

}  // namespace thimble::inline v0_1
