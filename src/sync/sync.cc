// What changed in a folder, into its store.

#include "sync/sync.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/file_lock.h"
#include "sync/snapshot.h"
#include "thimble/precision.h"

namespace thimble::sync {
namespace {

// Enough to fill the tiles of several threads.
constexpr std::size_t kTextsPerBatch = 64;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// A document as it is now.
struct Document {
  std::string sha256;
  base::FileStamp stamp;             // `written` is 0 where a later change may not show.
  std::optional<Snapshot> snapshot;  // Unset where the stamp alone says that nothing has changed.
};

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
    THIMBLE_RETURN_IF_ERROR(RemoveOthers(listing.paths));
    if (!options_.dry_run) store_.Finish();
    return std::move(report_);
  }

 private:
  Status OpenStore() {
    if (!options_.dry_run) {
      if (options_.rebuild) THIMBLE_RETURN_IF_ERROR(Store::Remove(options_.store));
      return store_.OpenToWrite(options_.store, space_);
    }
    THIMBLE_ASSIGN_OR_RETURN(const bool is, Store::IsStore(options_.store));
    if (!is || options_.rebuild) return store_.OpenTemporary(options_.store, space_);
    THIMBLE_RETURN_IF_ERROR(store_.OpenToRead(options_.store));
    return store_.CheckSpace(space_);
  }
  Status Begin(Transaction& transaction) const {
    return options_.dry_run ? transaction.BeginReading() : transaction.BeginWriting();
  }

  // Chunks of what cannot be read now stay; those of what is no document go.
  void Skip(const std::string& path, std::string reason, bool unreadable) {
    report_.skipped.push_back({path, std::move(reason), unreadable});
    if (!unreadable) gone_.insert(path);
  }

  // The document; nothing, with a line in the report, when there is none to take.
  Result<std::optional<Document>> Read(const std::string& path, const std::optional<StoredFile>& known) {
    Result<base::RegularFile> file = base::RegularFile::Open(options_.folder + "/" + path);
    if (!file.ok()) {
      if (file.status().code() == Code::kNotFound) {  // It has just gone.
        gone_.insert(path);
      } else {
        Skip(path, file.status().message(), true);
      }
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
    Result<Snapshot> snapshot = Snapshot::Of(*file);
    if (!snapshot.ok()) {
      Skip(path, snapshot.status().message(), true);
      return std::optional<Document>();
    }
    const Result<base::FileStamp> after = file->StampNow();
    if (!after.ok() || after->WrittenSince(document.stamp) || !base::IsSettled(document.stamp)) {
      document.stamp.written = 0;
    }
    document.sha256 = snapshot->sha256();
    const bool same = known && known->sha256 == document.sha256;
    if (std::string why = same ? "" : WhyNoText(snapshot->text()); !why.empty()) {
      Skip(path, std::move(why), false);
      return std::optional<Document>();
    }
    document.snapshot.emplace(*std::move(snapshot));
    return std::optional(std::move(document));
  }

  Status TakeFile(const std::string& path) {
    THIMBLE_ASSIGN_OR_RETURN(const std::optional<StoredFile> known, store_.FindFile(path));
    THIMBLE_ASSIGN_OR_RETURN(const std::optional<Document> document, Read(path, known));
    if (!document) return Status();
    if (known && known->sha256 == document->sha256) {
      ++report_.files.unchanged;
      THIMBLE_ASSIGN_OR_RETURN(const std::size_t chunks, store_.CountChunks(known->id));
      report_.chunks_unchanged += chunks;
      if (options_.dry_run || document->stamp.written == known->stamp.written) return Status();
      Transaction transaction(store_.database());
      THIMBLE_RETURN_IF_ERROR(transaction.BeginWriting());
      const Result<std::int64_t> put = store_.PutFile(known->id, path, document->stamp, document->sha256);
      return put.ok() ? transaction.Commit() : put.status();
    }
    ++(known ? report_.files.changed : report_.files.added);
    const Status status = Replace(path, *document, known ? known->id : 0);
    if (status.ok()) return status;
    return Error(status.code(), options_.folder, "/", path, ": ", status.message());
  }

  // `file` is 0 for a document that the store does not know.
  Status Replace(const std::string& path, const Document& document, std::int64_t file) {
    Format format = Format::kPlain;
    FormatOf(path, format);
    const std::string_view bytes = document.snapshot->text();
    const std::size_t mark = bytes.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
    const std::string_view text = bytes.substr(mark);
    Transaction transaction(store_.database());
    THIMBLE_RETURN_IF_ERROR(Begin(transaction));
    THIMBLE_RETURN_IF_ERROR(store_.BeginComparison(file));
    if (!options_.dry_run) {
      if (file != 0) THIMBLE_RETURN_IF_ERROR(store_.RemoveChunks(file));
      THIMBLE_ASSIGN_OR_RETURN(file, store_.PutFile(file, path, document.stamp, document.sha256));
    }
    NewChunks chunks = {.file = file};
    THIMBLE_RETURN_IF_ERROR(CutChunks(text, format, limits_, [&](Chunk chunk) {
      const std::string_view part = text.substr(chunk.begin, chunk.end - chunk.begin);
      chunk.begin += mark;
      chunk.end += mark;
      return TakeChunk(std::move(chunk), part, chunks);
    }));
    THIMBLE_RETURN_IF_ERROR(EmbedNew(chunks));
    THIMBLE_ASSIGN_OR_RETURN(const std::size_t lost, store_.CountLostChunks());
    report_.chunks_removed += lost;
    return transaction.Commit();
  }

  // Chunks of a file whose texts the store lacks.
  struct NewChunks {
    struct One {
      std::size_t ordinal;
      Chunk chunk;
      std::string_view text;
      TextHash hash;
    };
    std::int64_t file;
    std::size_t count = 0;  // Of the file's chunks so far, new or not.
    std::vector<One> waiting = {};
  };

  Status TakeChunk(Chunk chunk, std::string_view text, NewChunks& chunks) {
    const TextHash hash = HashOf(text);
    THIMBLE_ASSIGN_OR_RETURN(const bool had, store_.HadChunk(hash));
    ++(had ? report_.chunks_unchanged : report_.chunks_added);
    THIMBLE_ASSIGN_OR_RETURN(const std::int64_t id, store_.FindText(hash));
    const std::size_t ordinal = chunks.count++;
    if (options_.dry_run) {
      if (id != 0) return Status();
      THIMBLE_ASSIGN_OR_RETURN(const bool planned, store_.PlanText(hash));
      report_.texts_embedded += planned;
      return Status();
    }
    if (id != 0) return store_.AddChunk(chunks.file, ordinal, chunk, id);
    chunks.waiting.push_back({ordinal, std::move(chunk), text, hash});
    return chunks.waiting.size() < kTextsPerBatch ? Status() : EmbedNew(chunks);
  }

  // Adds the chunks that wait, and their texts.
  Status EmbedNew(NewChunks& chunks) {
    std::vector<std::string_view> texts;
    std::map<TextHash, std::size_t> places;  // In `texts`.
    for (const NewChunks::One& one : chunks.waiting) {
      if (places.emplace(one.hash, texts.size()).second) texts.push_back(one.text);
    }
    if (texts.empty()) return Status();
    std::vector<float> vectors(texts.size() * space_.dimensions);
    std::vector<Report> reports(texts.size());
    THIMBLE_RETURN_IF_ERROR(embedder_.EmbedBatch(texts, vectors, reports, options_.vectors));
    std::vector<std::int64_t> ids(texts.size());
    for (const NewChunks::One& one : chunks.waiting) {
      const std::size_t i = places[one.hash];
      if (ids[i] == 0) {
        const auto vector = std::span<const float>(vectors).subspan(i * space_.dimensions, space_.dimensions);
        THIMBLE_ASSIGN_OR_RETURN(ids[i], store_.AddText(one.hash, one.text, reports[i].tokens, vector));
        ++report_.texts_embedded;
        report_.texts_truncated += reports[i].truncated;
      }
      THIMBLE_RETURN_IF_ERROR(store_.AddChunk(chunks.file, one.ordinal, one.chunk, ids[i]));
    }
    chunks.waiting.clear();
    return Status();
  }

  // Removes the files of the store that are no longer documents of the folder, and texts that no chunk has. `listed` is
  // sorted.
  Status RemoveOthers(const std::vector<std::string>& listed) {
    std::vector<std::string> unreadable;
    for (const Skipped& skipped : report_.skipped) {
      if (skipped.unreadable && skipped.path.ends_with('/')) unreadable.push_back(skipped.path);
    }
    std::vector<std::int64_t> removed;
    THIMBLE_RETURN_IF_ERROR(store_.ForEachFile([&](std::int64_t id, std::string_view path) {
      const bool hidden = std::any_of(unreadable.begin(), unreadable.end(),
                                      [&](const std::string& folder) { return path.starts_with(folder); });
      const bool stays = std::binary_search(listed.begin(), listed.end(), path) && !gone_.contains(path);
      if (!hidden && !stays) removed.push_back(id);
    }));
    for (const std::int64_t id : removed) {
      THIMBLE_ASSIGN_OR_RETURN(const std::size_t chunks, store_.CountChunks(id));
      report_.chunks_removed += chunks;
    }
    report_.files.removed = removed.size();
    if (options_.dry_run) return Status();
    Transaction transaction(store_.database());
    THIMBLE_RETURN_IF_ERROR(transaction.BeginWriting());
    for (const std::int64_t id : removed) THIMBLE_RETURN_IF_ERROR(store_.RemoveFile(id));
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
  std::set<std::string, std::less<>> gone_;  // Paths that were listed and are no documents.
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
