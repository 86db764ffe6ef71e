// UTF-8 texts as paths of std::filesystem, and back.

#ifndef THIMBLE_BASE_PATH_H_
#define THIMBLE_BASE_PATH_H_

#include <filesystem>
#include <string>

namespace thimble::base {

// Empty for a text that cannot be a path of this system.
std::filesystem::path ToPath(const std::string& text);
std::string FromPath(const std::filesystem::path& path);

}  // namespace thimble::base

#endif  // THIMBLE_BASE_PATH_H_
