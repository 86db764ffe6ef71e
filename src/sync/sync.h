// Brings a store up to date with a folder.

#ifndef THIMBLE_SYNC_SYNC_H_
#define THIMBLE_SYNC_SYNC_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sync/folder.h"
#include "sync/store.h"
#include "thimble/embedder.h"
#include "thimble/model.h"

namespace thimble::sync {

struct SyncOptions {
  std::string folder;
  std::string store;
  std::vector<std::string> exclude;  // See ListDocuments.
  bool dry_run = false;              // Counts what would be done, and writes nothing.
  bool rebuild = false;              // Begins with an empty store.
  VectorOptions vectors;             // `normalize` must be true.
  // Called once when another sync of this store is waited for.
  std::function<void()> waiting = [] {};
  std::function<void(std::size_t done, std::size_t all)> progress = [](std::size_t, std::size_t) {};
};

struct SyncReport {
  struct Counts {
    std::size_t added = 0, changed = 0, unchanged = 0, removed = 0;
  };
  Counts files;
  // Of each file: texts that it did not have before, that it had, and that it has no more.
  std::size_t chunks_added = 0, chunks_unchanged = 0, chunks_removed = 0;
  std::size_t texts_embedded = 0;  // Texts that the store did not have.
  std::size_t texts_truncated = 0;
  std::size_t other_files = 0;
  std::vector<Skipped> skipped;
};

// What a store of these vectors is made with: chunks of at most the embedder's limit. kUnsupported for a model without
// a fingerprint, such as a mock; kInvalidArgument for a limit that leaves no room for text.
Result<StoreSpace> SpaceOf(const Model& model, const Embedder& embedder, const VectorOptions& vectors);

// Files in the order of their paths, each in one transaction, then what went. What cannot be read is in the report, and
// its chunks stay. Another sync of the store is waited for. The errors of ListDocuments, Store and Embedder.
Result<SyncReport> Sync(const Model& model, Embedder& embedder, const StoreSpace& space, const SyncOptions& options);

}  // namespace thimble::sync

#endif  // THIMBLE_SYNC_SYNC_H_
