// What changed in a folder, into its store.

#include "sync/sync.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/sha256.h"
#include "thimble/precision.h"

namespace thimble::sync {
namespace {

// Enough to fill the tiles of several threads.
constexpr std::size_t kTextsPerBatch = 64;

// A document and what the store knows of it.
struct Document {
  std::string text;
  std::string sha256;
  base::FileStamp stamp;  // `written` is 0 where a later change may not show.
};

// Those of `hashes` that are not in `others`, each as often as it is more often.
std::size_t CountMissing(const std::vector<TextHash>& hashes, const std::vector<TextHash>& others) {
  std::multiset<std::string_view> left(others.begin(), others.end());
  std::size_t missing = 0;
  for (const TextHash& hash : hashes) {
    const auto found = left.find(hash);
    if (found == left.end()) {
      ++missing;
    } else {
      left.erase(found);
    }
  }
  return missing;
}

Result<std::size_t> CountTokens(const Model& model, std::string_view text, const VectorOptions& vectors) {
  TokenizeOptions options = {.prompt_name = vectors.prompt_name, .truncate = false};
  THIMBLE_ASSIGN_OR_RETURN(const Tokens tokens, model.Tokenize(text, options));
  return tokens.ids.size();
}

class Syncer {
 public:
  Syncer(const Model& model, Embedder& embedder, const StoreSpace& space, const SyncOptions& options)
      : model_(model), embedder_(embedder), space_(space), options_(options) {
    limits_.max_tokens = space.chunk_tokens;
    limits_.radius = space.chunk_tokens;  // Chunks are then about half as long as they may be, in most languages.
    limits_.count_tokens = [&](std::string_view text) { return CountTokens(model_, text, options_.vectors); };
  }

  Result<SyncReport> Run() {
    THIMBLE_ASSIGN_OR_RETURN(Listing listing, ListDocuments(options_.folder, options_.exclude));
    report_.other_files = listing.other_files;
    report_.skipped = std::move(listing.skipped);
    THIMBLE_RETURN_IF_ERROR(OpenStore());
    std::size_t done = 0;
    for (const std::string& path : listing.paths) {
      options_.progress(done++, listing.paths.size());
      THIMBLE_RETURN_IF_ERROR(TakeFile(path));
    }
    if (has_store_) THIMBLE_RETURN_IF_ERROR(RemoveOthers());
    if (!options_.dry_run) store_.Finish();
    return std::move(report_);
  }

 private:
  Status OpenStore() {
    if (options_.dry_run) {
      THIMBLE_ASSIGN_OR_RETURN(const bool is, Store::IsStore(options_.store));
      if (!is || options_.rebuild) return Status();
      has_store_ = true;
      THIMBLE_RETURN_IF_ERROR(store_.OpenToRead(options_.store));
      return store_.CheckSpace(space_);
    }
    if (options_.rebuild) THIMBLE_RETURN_IF_ERROR(Store::Remove(options_.store));
    has_store_ = true;
    return store_.OpenToWrite(options_.store, space_);
  }

  void Skip(const std::string& path, std::string reason, bool unreadable) {
    report_.skipped.push_back({path, std::move(reason), unreadable});
  }

  // The bytes of a document; nothing, with a line in the report, when there are none to take.
  Result<std::optional<Document>> Read(const std::string& path, const std::optional<StoredFile>& known) {
    Result<base::RegularFile> file = base::RegularFile::Open(options_.folder + "/" + path);
    if (!file.ok()) {
      if (file.status().code() == Code::kNotFound) return std::optional<Document>();  // It has just gone.
      Skip(path, file.status().message(), true);
      kept_.push_back(path);
      return std::optional<Document>();
    }
    Document document;
    document.stamp = file->stamp();
    if (known && known->stamp.written != 0 && !document.stamp.WrittenSince(known->stamp)) {
      document.sha256 = known->sha256;
      return std::optional(std::move(document));
    }
    if (file->size() > kMaxDocumentBytes) {
      Skip(path, "has more than " + std::to_string(kMaxDocumentBytes >> 20) + " MiB; divide it", false);
      return std::optional<Document>();
    }
    document.text.resize(static_cast<std::size_t>(file->size()));
    const Status status = file->ReadAt(0, std::as_writable_bytes(std::span(document.text)));
    if (!status.ok()) {
      Skip(path, status.message(), true);
      kept_.push_back(path);
      return std::optional<Document>();
    }
    const Result<base::FileStamp> after = file->StampNow();
    if (!after.ok() || after->WrittenSince(document.stamp) || !base::IsSettled(document.stamp)) {
      document.stamp.written = 0;
    }
    base::Sha256 hash;
    hash.Update(document.text);
    document.sha256 = hash.Hex();
    if (known && known->sha256 == document.sha256) return std::optional(std::move(document));
    if (std::string why = WhyNoText(document.text); !why.empty()) {
      Skip(path, std::move(why), false);
      return std::optional<Document>();
    }
    return std::optional(std::move(document));
  }

  Status TakeFile(const std::string& path) {
    std::optional<StoredFile> known;
    if (has_store_) {
      THIMBLE_ASSIGN_OR_RETURN(known, store_.FindFile(path));
    }
    THIMBLE_ASSIGN_OR_RETURN(const std::optional<Document> document, Read(path, known));
    if (!document) return Status();
    kept_.push_back(path);
    if (known && known->sha256 == document->sha256) {
      ++report_.files.unchanged;
      THIMBLE_ASSIGN_OR_RETURN(const std::vector<TextHash> chunks, store_.ChunksOf(known->id));
      report_.chunks_unchanged += chunks.size();
      if (options_.dry_run || document->stamp.written == known->stamp.written) return Status();
      Transaction transaction(store_.database());
      THIMBLE_RETURN_IF_ERROR(transaction.BeginWriting());
      const Result<std::int64_t> put = store_.PutFile(path, document->stamp, document->sha256);
      return put.ok() ? transaction.Commit() : put.status();
    }
    ++(known ? report_.files.changed : report_.files.added);
    const Status status = Replace(path, *document, known);
    if (status.ok()) return status;
    return Error(status.code(), options_.folder, "/", path, ": ", status.message());
  }

  // A byte order mark is no text.
  static std::string_view TextOf(const Document& document) {
    std::string_view text = document.text;
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    return text;
  }

  Status Replace(const std::string& path, const Document& document, const std::optional<StoredFile>& known) {
    Format format = Format::kPlain;
    FormatOf(path, format);
    const std::string_view text = TextOf(document);
    THIMBLE_ASSIGN_OR_RETURN(std::vector<Chunk> chunks, CutChunks(text, format, limits_));
    std::vector<TextHash> hashes, before;
    for (const Chunk& chunk : chunks) hashes.push_back(HashOf(text.substr(chunk.begin, chunk.end - chunk.begin)));
    if (known) {
      THIMBLE_ASSIGN_OR_RETURN(before, store_.ChunksOf(known->id));
    }
    const std::size_t added = CountMissing(hashes, before);
    report_.chunks_added += added;
    report_.chunks_unchanged += hashes.size() - added;
    report_.chunks_removed += CountMissing(before, hashes);
    if (options_.dry_run) return CountNew(hashes);

    Transaction transaction(store_.database());
    THIMBLE_RETURN_IF_ERROR(transaction.BeginWriting());
    THIMBLE_RETURN_IF_ERROR(EmbedNew(text, chunks, hashes));
    if (known) THIMBLE_RETURN_IF_ERROR(store_.RemoveChunks(known->id));
    THIMBLE_ASSIGN_OR_RETURN(const std::int64_t file, store_.PutFile(path, document.stamp, document.sha256));
    const std::size_t mark = document.text.size() - text.size();
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      THIMBLE_ASSIGN_OR_RETURN(const std::int64_t id, store_.FindText(hashes[i]));
      chunks[i].begin += mark;
      chunks[i].end += mark;
      THIMBLE_RETURN_IF_ERROR(store_.AddChunk(file, i, chunks[i], id));
    }
    return transaction.Commit();
  }

  Status CountNew(const std::vector<TextHash>& hashes) {
    for (const TextHash& hash : hashes) {
      std::int64_t id = 0;
      if (has_store_) {
        THIMBLE_ASSIGN_OR_RETURN(id, store_.FindText(hash));
      }
      if (id == 0) report_.texts_embedded += would_embed_.insert(hash).second;
    }
    return Status();
  }

  // Adds the texts that the store lacks.
  Status EmbedNew(std::string_view text, const std::vector<Chunk>& chunks, const std::vector<TextHash>& hashes) {
    std::vector<std::size_t> batch;
    std::set<std::string_view> in_batch;
    for (std::size_t i = 0; i < chunks.size(); ++i) {
      THIMBLE_ASSIGN_OR_RETURN(const std::int64_t id, store_.FindText(hashes[i]));
      if (id == 0 && in_batch.insert(hashes[i]).second) batch.push_back(i);
      if (batch.size() < kTextsPerBatch && i + 1 < chunks.size()) continue;
      THIMBLE_RETURN_IF_ERROR(EmbedBatch(text, chunks, hashes, batch));
      batch.clear();
      in_batch.clear();
    }
    return Status();
  }

  Status EmbedBatch(std::string_view text, const std::vector<Chunk>& chunks, const std::vector<TextHash>& hashes,
                    const std::vector<std::size_t>& batch) {
    if (batch.empty()) return Status();
    std::vector<std::string_view> texts;
    for (const std::size_t i : batch) texts.push_back(text.substr(chunks[i].begin, chunks[i].end - chunks[i].begin));
    std::vector<float> vectors(batch.size() * space_.dimensions);
    std::vector<Report> reports(batch.size());
    THIMBLE_RETURN_IF_ERROR(embedder_.EmbedBatch(texts, vectors, reports, options_.vectors));
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto vector = std::span<const float>(vectors).subspan(i * space_.dimensions, space_.dimensions);
      const auto added = store_.AddText(hashes[batch[i]], texts[i], reports[i].tokens, vector);
      if (!added.ok()) return added.status();
      ++report_.texts_embedded;
      report_.texts_truncated += reports[i].truncated;
    }
    return Status();
  }

  // Removes the files of the store that are no longer documents of the folder, and texts that no chunk has.
  Status RemoveOthers() {
    std::sort(kept_.begin(), kept_.end());
    std::vector<std::string> unreadable;
    for (const Skipped& skipped : report_.skipped) {
      if (skipped.unreadable && skipped.path.ends_with('/')) unreadable.push_back(skipped.path);
    }
    std::vector<std::int64_t> gone;
    THIMBLE_RETURN_IF_ERROR(store_.ForEachFile([&](std::int64_t id, std::string_view path) {
      const bool hidden = std::any_of(unreadable.begin(), unreadable.end(),
                                      [&](const std::string& folder) { return path.starts_with(folder); });
      if (!hidden && !std::binary_search(kept_.begin(), kept_.end(), path)) gone.push_back(id);
    }));
    for (const std::int64_t id : gone) {
      THIMBLE_ASSIGN_OR_RETURN(const std::vector<TextHash> chunks, store_.ChunksOf(id));
      report_.chunks_removed += chunks.size();
    }
    report_.files.removed = gone.size();
    if (options_.dry_run) return Status();
    Transaction transaction(store_.database());
    THIMBLE_RETURN_IF_ERROR(transaction.BeginWriting());
    for (const std::int64_t id : gone) THIMBLE_RETURN_IF_ERROR(store_.RemoveFile(id));
    THIMBLE_RETURN_IF_ERROR(store_.RemoveLooseTexts());
    return transaction.Commit();
  }

  const Model& model_;
  Embedder& embedder_;
  const StoreSpace& space_;
  const SyncOptions& options_;
  ChunkLimits limits_;
  SyncReport report_;
  Store store_;
  bool has_store_ = false;
  std::vector<std::string> kept_;  // Paths whose chunks stay or came.
  std::set<TextHash> would_embed_;
};

}  // namespace

Result<StoreSpace> SpaceOf(const Model& model, const Embedder& embedder, const VectorOptions& vectors) {
  StoreSpace space;
  THIMBLE_ASSIGN_OR_RETURN(space.fingerprint, SpaceFingerprint(model.info(), vectors));
  if (space.fingerprint.empty()) {
    return Error(Code::kUnsupported, "model ", model.info().name,
                 " has no fingerprint, by which a store tells whether ",
                 "its vectors can be compared; mocks and files from an older converter have none");
  }
  space.dimensions = vectors.dimensions.value_or(model.dimensions());
  space.chunk_tokens = embedder.plan().max_tokens;
  if (vectors.prompt_name) {
    space.prompts = 1;
    for (const Prompt& prompt : model.info().prompts) {
      if (prompt.name == *vectors.prompt_name) space.prompt_text = prompt.text;
    }
  }
  THIMBLE_ASSIGN_OR_RETURN(const std::size_t least, CountTokens(model, "a", vectors));
  if (least > space.chunk_tokens) {
    return Error(Code::kInvalidArgument, "`max_tokens`: expected at least ", least,
                 ", which special tokens, prompt and ", "a letter take; found ", space.chunk_tokens);
  }
  return space;
}

Result<SyncReport> Sync(const Model& model, Embedder& embedder, const StoreSpace& space, const SyncOptions& options) {
  std::optional<base::FileLock> lock;
  if (!options.dry_run) {
    THIMBLE_ASSIGN_OR_RETURN([[maybe_unused]] const bool is, Store::IsStore(options.store));
    bool said = false;
    auto acquired = base::FileLock::Acquire(options.store + ".lock", [&] {
      if (!std::exchange(said, true)) options.waiting();
      return true;
    });
    if (!acquired.ok()) return acquired.status();
    lock.emplace(*std::move(acquired));
  }
  return Syncer(model, embedder, space, options).Run();
}

}  // namespace thimble::sync
