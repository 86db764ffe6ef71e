// Reading the kernel's small text files.

#ifndef THIMBLE_BASE_PROC_FILE_H_
#define THIMBLE_BASE_PROC_FILE_H_

#include <cstddef>
#include <optional>
#include <string_view>

namespace thimble::base {

// The first bytes of a file under /proc or /sys. Thread-compatible. Allocates nothing.
class ProcFile {
 public:
  explicit ProcFile(const char* path);

  // errno of opening or reading; 0 when the file was read.
  int error() const { return error_; }
  std::string_view text() const { return {bytes_, size_}; }
  // The number right behind the first occurrence of `key`, white space skipped; nullopt without either.
  std::optional<double> Number(std::string_view key) const;

 private:
  char bytes_[4096];  // smaps_rollup, the longest file read here, has less than a third of that.
  std::size_t size_ = 0;
  int error_ = 0;
};

}  // namespace thimble::base

#endif  // THIMBLE_BASE_PROC_FILE_H_
