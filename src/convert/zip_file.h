// The directory of a zip archive whose entries are stored as they are, as PyTorch writes it.

#ifndef THIMBLE_CONVERT_ZIP_FILE_H_
#define THIMBLE_CONVERT_ZIP_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/regular_file.h"
#include "thimble/status.h"

namespace thimble::convert {

struct ZipEntry {
  std::string name;
  std::uint64_t begin = 0;  // Of its data, in bytes from the start of the file.
  std::uint64_t bytes = 0;
};

inline constexpr std::size_t kMaxZipEntries = 32768;

// The entries in the order of the directory: one or more, with distinct names and data that lies in the file and does
// not overlap. Checksums are not compared, as PyTorch does not. kUnsupported for a compressed or encrypted entry or an
// archive of several files, kCorrupt, kIo.
Result<std::vector<ZipEntry>> ReadZipDirectory(const base::RegularFile& file);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ZIP_FILE_H_
