// Paths of POSIX systems, which are bytes.

#include "base/path.h"

namespace thimble::inline v0_1 {

std::filesystem::path ToPath(const std::string& text) { return text; }
std::string FromPath(const std::filesystem::path& path) { return path.native(); }

}  // namespace thimble::inline v0_1
