// The documents in a folder.

#ifndef THIMBLE_SYNC_FOLDER_H_
#define THIMBLE_SYNC_FOLDER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/headings.h"
#include "thimble/status.h"

namespace thimble::sync {

// Larger documents are skipped: they are data rather than texts.
inline constexpr std::uint64_t kMaxDocumentBytes = 16 << 20;

struct Skipped {
  std::string path;    // Relative to the folder; a folder ends in "/".
  std::string reason;  // For people.
  // Whether it cannot be read now, so that what is known of it stays; otherwise it is no document.
  bool unreadable = false;
};

struct Listing {
  std::vector<std::string> paths;  // Relative to the folder, with "/", in the order of their bytes.
  std::vector<Skipped> skipped;
  std::size_t other_files = 0;  // Of other endings.
};

// Files whose endings FormatOf knows, in `folder` and its folders, without those whose names begin with "." and without
// what a pattern of `exclude` matches: a pattern of the shell, for the name of a file or folder, or with a "/" for its
// whole relative path. A symbolic link to a file counts as the file, one to a folder is not followed. kNotFound,
// kInvalidArgument or kIo when `folder` itself cannot be listed.
Result<Listing> ListDocuments(const std::string& folder, const std::vector<std::string>& exclude);

// Why bytes are no text: a sentence for people; empty if they are UTF-8 without NUL.
std::string WhyNoText(std::string_view bytes);

}  // namespace thimble::sync

#endif  // THIMBLE_SYNC_FOLDER_H_
