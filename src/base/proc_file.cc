// Reading the kernel's small text files.

#include "base/proc_file.h"

#include <cerrno>
#include <charconv>
#include <cstdio>

namespace thimble::base {

ProcFile::ProcFile(const char* path) {
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) {
    error_ = errno;
    return;
  }
  std::setvbuf(file, nullptr, _IONBF, 0);
  size_ = std::fread(bytes_, 1, sizeof bytes_, file);
  if (std::ferror(file) != 0) error_ = errno;
  std::fclose(file);
}

std::optional<double> ProcFile::Number(std::string_view key) const {
  std::size_t begin = text().find(key);
  if (begin == std::string_view::npos) return std::nullopt;
  begin = text().find_first_not_of(" \t", begin + key.size());
  if (begin == std::string_view::npos) return std::nullopt;
  double value = 0;
  auto [end, error] = std::from_chars(bytes_ + begin, bytes_ + size_, value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

}  // namespace thimble::base
