// The bytes of a document as they were when it was read.

#ifndef THIMBLE_SYNC_SNAPSHOT_H_
#define THIMBLE_SYNC_SNAPSHOT_H_

#include <optional>
#include <string>
#include <string_view>

#include "base/file_map.h"
#include "base/regular_file.h"
#include "thimble/status.h"

namespace thimble::sync {

// A small one is in memory, a larger one is mapped from a temporary file, so that private memory does not depend on its
// size and no writer of the document reaches it. Move-only.
class Snapshot {
 public:
  // kIo when the document cannot be read, or the temporary file not be made or mapped.
  static Result<Snapshot> Of(const base::RegularFile& document);

  std::string_view text() const;
  const std::string& sha256() const { return sha256_; }

 private:
  std::string sha256_;
  std::string copy_;
  std::optional<base::FileMap> map_;  // Instead of the copy.
};

}  // namespace thimble::sync

#endif  // THIMBLE_SYNC_SNAPSHOT_H_
