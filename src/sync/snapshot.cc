// Copies a document piece by piece.

#include "sync/snapshot.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"

namespace thimble::sync {
namespace {

// Larger documents are copied to a file in pieces of this size.
constexpr std::size_t kPieceBytes = 256 << 10;

Status FileError(const char* what) { return SystemError(errno, what, "a temporary file for a document"); }

}  // namespace

Result<Snapshot> Snapshot::Of(const base::RegularFile& document) {
  Snapshot snapshot;
  base::Sha256 hash;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(nullptr, &std::fclose);
  if (document.size() > kPieceBytes) {
    file.reset(std::tmpfile());
    if (file == nullptr) return FileError("cannot make");
  }
  std::string piece;
  for (std::uint64_t at = 0; at < document.size(); at += piece.size()) {
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, document.size() - at)));
    THIMBLE_RETURN_IF_ERROR(document.ReadAt(at, std::as_writable_bytes(std::span(piece))));
    hash.Update(piece);
    if (file != nullptr && std::fwrite(piece.data(), 1, piece.size(), file.get()) != piece.size()) {
      return FileError("cannot write");
    }
  }
  snapshot.sha256_ = hash.Hex();
  if (file == nullptr) {
    snapshot.copy_ = std::move(piece);
    return snapshot;
  }
  if (std::fflush(file.get()) != 0) return FileError("cannot write");
  THIMBLE_ASSIGN_OR_RETURN(base::RegularFile copy,
                           base::RegularFile::Share(fileno(file.get()), "a temporary file for a document"));
  THIMBLE_ASSIGN_OR_RETURN(base::FileMap map, base::FileMap::Of(std::move(copy)));
  snapshot.map_.emplace(std::move(map));
  return snapshot;
}

std::string_view Snapshot::text() const {
  if (!map_) return copy_;
  return {reinterpret_cast<const char*>(map_->bytes().data()), map_->bytes().size()};
}

}  // namespace thimble::sync
