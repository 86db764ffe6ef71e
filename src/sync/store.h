// The store of a folder: one SQLite file with the chunks of its documents and their vectors.
//
//   meta(key, value)   what made the vectors; see StoreSpace
//   files(id, path, size, written, number, sha256)
//   chunks(file, ordinal, first_byte, last_byte, first_line, last_line, heading, text)
//   texts(id, hash, text, tokens, vector)   each text once, however many chunks have it
//   loose(text)        texts that chunks lost, which go when a sync ends
//   temp.had(hash, times)   the chunks that a file had and that were not found again
//   temp.planned(hash)      texts that a dry run would embed
//
// A vector is a row of 32-bit floats, and hash the SHA-256 of the text. Every change of a file is one transaction.

#ifndef THIMBLE_SYNC_STORE_H_
#define THIMBLE_SYNC_STORE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/regular_file.h"
#include "sync/chunks.h"
#include "sync/sqlite.h"
#include "thimble/status.h"

namespace thimble::sync {

inline constexpr int kSchemaVersion = 1;

// What decides the vectors of a store and where chunks end. Stores with equal ones have equal contents for equal
// folders.
struct StoreSpace {
  std::string fingerprint;  // SpaceFingerprint of the vectors.
  std::size_t dimensions = 0;
  std::size_t chunk_tokens = 0;
  // Whether chunks have the model's prompt for passages instead of its default, and queries that for queries.
  std::size_t prompts = 0;
  std::string prompt_text;  // Before each chunk, where prompts is 1.
  // How the model was named, for messages and for searches that name none.
  std::string model;
  std::string dtype;
};

struct StoredFile {
  std::int64_t id = 0;
  base::FileStamp stamp;  // `written` is 0 where the file may since have changed unseen.
  std::string sha256;
};

using TextHash = std::array<std::byte, 32>;  // SHA-256.
TextHash HashOf(std::string_view text);

class Store {
 public:
  // Whether the file at `path` is a store by its first bytes; false when it is missing or empty. kInvalidArgument when
  // it is anything else, so that nothing of another program is touched; kIo.
  static Result<bool> IsStore(const std::string& path);
  // Removes a store, whole or damaged; the errors of IsStore.
  static Status Remove(const std::string& path);

  // Opens a store to read, and reads its space. kNotFound, kInvalidArgument or kCorrupt when it is none; kUnsupported
  // when a newer thimble made it.
  Status OpenToRead(const std::string& path);
  // Opens a store to write, or makes one with `space`. kInvalidArgument, naming what differs, when another space made
  // it; the errors of OpenToRead.
  Status OpenToWrite(const std::string& path, const StoreSpace& space);
  // An empty one that leaves nothing; errors name `path`.
  Status OpenTemporary(const std::string& path, const StoreSpace& space);
  // kInvalidArgument, naming what differs.
  Status CheckSpace(const StoreSpace& space) const;
  // Makes the file whole by itself, without a log beside it; harmless where a reader prevents that.
  void Finish();

  const StoreSpace& space() const { return space_; }
  Database& database() { return database_; }

  Result<std::optional<StoredFile>> FindFile(std::string_view path);
  // Calls take(id, path) in the order of paths.
  Status ForEachFile(const std::function<void(std::int64_t, std::string_view)>& take);
  Result<std::size_t> CountChunks(std::int64_t file);
  // The text of that hash; 0 when there is none.
  Result<std::int64_t> FindText(const TextHash& hash);

  // What changes of the chunks of a file, 0 for a new one: BeginComparison(), then for each chunk that it has now
  // whether it had one more of that text, and at last how many it has no more.
  Status BeginComparison(std::int64_t file);
  Result<bool> HadChunk(const TextHash& hash);
  Result<std::size_t> CountLostChunks();
  // Notes that a text would be embedded; false if it was noted before. After BeginComparison().
  Result<bool> PlanText(const TextHash& hash);

  // Inside a transaction.
  Result<std::int64_t> AddText(const TextHash& hash, std::string_view text, std::size_t tokens,
                               std::span<const float> vector);
  // Changes a file, or adds one if `file` is 0, and returns it; without chunks.
  Result<std::int64_t> PutFile(std::int64_t file, std::string_view path, const base::FileStamp& stamp,
                               std::string_view sha256);
  Status AddChunk(std::int64_t file, std::size_t ordinal, const Chunk& chunk, std::int64_t text);
  Status RemoveChunks(std::int64_t file);
  // Its chunks with it.
  Status RemoveFile(std::int64_t file);
  // Removes texts that no chunk has any more.
  Status RemoveLooseTexts();

 private:
  Status Check();
  Status Create(const StoreSpace& space);

  Database database_;
  StoreSpace space_;
};

// A place where a text is.
struct Match {
  double cosine = 0;
  std::string path;
  std::size_t first_line = 0, last_line = 0;
  std::string heading;  // As in Chunk.
  std::string text;
};

// The `top` chunks whose vectors have the largest dot products with `wanted`, which has as many components as the
// store's; equals are ordered by text, then by path and line. Memory is in proportion to `top` alone. kCorrupt for a
// vector of another length.
Result<std::vector<Match>> Search(Store& store, std::span<const float> wanted, std::size_t top);

}  // namespace thimble::sync

#endif  // THIMBLE_SYNC_STORE_H_
