// Files and folders of tests.

#ifndef THIMBLE_TESTS_FILES_H_
#define THIMBLE_TESTS_FILES_H_

#include <string>

#include "thimble/status.h"

namespace thimble::test {

// A new empty directory, removed with all it holds on destruction.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The bytes of a file, none where it cannot be read.
std::string ReadFile(const std::string& path);

// Replaces the contents of a file, and makes its folder where that is missing.
Status WriteFile(const std::string& path, const std::string& contents);

}  // namespace thimble::test

#endif  // THIMBLE_TESTS_FILES_H_
