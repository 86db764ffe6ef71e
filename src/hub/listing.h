// What a repository of the hub holds, and which of it makes a model.

#ifndef THIMBLE_HUB_LISTING_H_
#define THIMBLE_HUB_LISTING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/status.h"

namespace thimble::hub {

// One file to get. Its name is one of ours: names that a server sends are compared with, and used for nothing else.
struct HubFile {
  std::string_view name;              // "onnx/model.onnx"
  std::uint64_t max_bytes = 0;        // More is not taken.
  std::optional<std::uint64_t> size;  // As the hub states it.
  std::string sha256;                 // The same, in lower case; empty when it does not.
};

struct Listing {
  std::string commit;          // 40 hexadecimal digits.
  std::vector<HubFile> files;  // Small ones first, the weights last.
};

// The hub's answer is smaller than this.
inline constexpr std::size_t kMaxListingBytes = 1 << 20;

// Whether `text` has `digits` hexadecimal digits in lower case and nothing else.
bool IsHex(std::string_view text, std::size_t digits);

// Reads the answer of /api/models/REPOSITORY/revision/REVISION?blobs=true. kCorrupt when it is malformed or a size is
// out of range, kNotFound when the repository lacks what a model needs. `what` is for messages.
Result<Listing> ParseListing(std::string_view json, const std::string& what);

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_LISTING_H_
