// What a repository of the hub holds.

#ifndef THIMBLE_HUB_LISTING_H_
#define THIMBLE_HUB_LISTING_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "thimble/status.h"

namespace thimble::hub {

// One file to get.
struct HubFile {
  std::string name;                   // "onnx/model.onnx"
  std::uint64_t max_bytes = 0;        // More is not taken.
  std::optional<std::uint64_t> size;  // As the hub states it.
  std::string sha256;                 // The same, in lower case; empty when it does not.
};

struct Listing {
  std::string commit;      // 40 hexadecimal digits.
  std::string repository;  // As the hub writes it; empty when it does not say so.
  // By name. A name is one that leads to something inside a folder; the other values are as the server sent them.
  std::map<std::string, HubFile> files;
};

// The hub's answer is smaller than this.
inline constexpr std::size_t kMaxListingBytes = 1 << 20;

// Reads the answer of /api/models/REPOSITORY/revision/REVISION?blobs=true. kCorrupt when it is malformed. `what` is for
// messages.
Result<Listing> ParseListing(std::string_view json, const std::string& what);

// The file of that name, which must be there, with what is known of it checked: kCorrupt for a malformed hash, and for
// a size beyond what a file of its kind may have.
Result<HubFile> FileToGet(const Listing& listing, const std::string& name, const std::string& what);

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_LISTING_H_
