// The statements of a store.

#include "sync/store.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"

namespace thimble::sync {
namespace {

// "thbl": the application_id in the header of the file.
constexpr std::int64_t kApplicationId = 0x7468626c;
constexpr std::size_t kHeaderBytes = 100, kApplicationIdAt = 68;

constexpr char kSchema[] =
    "PRAGMA application_id = 1952997996;"  // kApplicationId.
    "PRAGMA user_version = 1;"             // kSchemaVersion.
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,"
    " written INTEGER NOT NULL, number INTEGER NOT NULL, sha256 TEXT NOT NULL);"
    "CREATE TABLE texts (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, text TEXT NOT NULL,"
    " tokens INTEGER NOT NULL, vector BLOB NOT NULL);"
    "CREATE TABLE chunks (file INTEGER NOT NULL REFERENCES files (id), ordinal INTEGER NOT NULL,"
    " first_byte INTEGER NOT NULL, last_byte INTEGER NOT NULL, first_line INTEGER NOT NULL,"
    " last_line INTEGER NOT NULL, heading TEXT NOT NULL, text INTEGER NOT NULL REFERENCES texts (id),"
    " PRIMARY KEY (file, ordinal)) WITHOUT ROWID;"
    "CREATE INDEX chunks_by_text ON chunks (text);"
    "CREATE TABLE loose (text INTEGER PRIMARY KEY);";
static_assert(kApplicationId == 1952997996 && kSchemaVersion == 1);

struct MetaField {
  const char* key;
  std::string StoreSpace::* text;
  std::size_t StoreSpace::* number;
};
constexpr MetaField kFields[] = {
    {"fingerprint", &StoreSpace::fingerprint, nullptr},
    {"dimensions", nullptr, &StoreSpace::dimensions},
    {"chunk_tokens", nullptr, &StoreSpace::chunk_tokens},
    {"prompts", nullptr, &StoreSpace::prompts},
    {"prompt_text", &StoreSpace::prompt_text, nullptr},
    {"model", &StoreSpace::model, nullptr},
    {"dtype", &StoreSpace::dtype, nullptr},
};

Status NoStore(const std::string& path) {
  return Error(Code::kInvalidArgument, path, ": expected a store of thimble sync, found a file of another program, ",
               "which is left as it is; give the store another name");
}

}  // namespace

TextHash HashOf(std::string_view text) {
  base::Sha256 sha;
  sha.Update(text);
  return sha.Digest();
}

Result<bool> Store::IsStore(const std::string& path) {
  Result<base::RegularFile> file = base::RegularFile::Open(path);
  if (!file.ok()) {
    if (file.status().code() == Code::kNotFound) return false;
    return file.status();
  }
  if (file->size() == 0) return false;
  if (file->size() < kHeaderBytes) return NoStore(path);
  std::array<std::byte, kHeaderBytes> header;
  THIMBLE_RETURN_IF_ERROR(file->ReadAt(0, header));
  constexpr char kMagic[] = "SQLite format 3";
  std::int64_t id = 0;
  for (std::size_t i = 0; i < 4; ++i) id = id << 8 | std::to_integer<std::int64_t>(header[kApplicationIdAt + i]);
  if (std::memcmp(header.data(), kMagic, sizeof kMagic) != 0) return NoStore(path);
  if (id == kApplicationId) return true;
  return NoStore(path);
}

Status Store::Remove(const std::string& path) {
  const Result<bool> is = IsStore(path);
  if (!is.ok()) return is.status();
  for (const char* more : {"-wal", "-shm", "-journal", ""}) {
    std::error_code error;
    std::filesystem::remove(path + more, error);
    if (error) return Error(Code::kIo, "cannot remove ", path, more, ": ", error.message());
  }
  return Status();
}

Status Store::Check() {
  const std::string& path = database_.path();
  THIMBLE_ASSIGN_OR_RETURN(const std::int64_t id, database_.Number("PRAGMA application_id"));
  if (id != kApplicationId) return NoStore(path);
  THIMBLE_ASSIGN_OR_RETURN(const std::int64_t version, database_.Number("PRAGMA user_version"));
  if (version != kSchemaVersion) {
    return Error(Code::kUnsupported, path, ": expected a store of version ", kSchemaVersion, ", found version ",
                 version, ", which another thimble made; --rebuild makes it anew");
  }
  THIMBLE_ASSIGN_OR_RETURN(Statement values, database_.Prepare("SELECT value FROM meta WHERE key = ?"));
  for (const MetaField& field : kFields) {
    THIMBLE_ASSIGN_OR_RETURN(const bool found, values.Bind(std::string_view(field.key)).Step());
    if (!found)
      return Error(Code::kCorrupt, path, ": the store does not say its ", field.key, "; --rebuild makes it anew");
    if (field.text != nullptr) {
      space_.*field.text = values.Text(0);
    } else {
      space_.*field.number = static_cast<std::size_t>(values.Integer(0));
    }
    values.Reset();
  }
  return Status();
}

Status Store::OpenToRead(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(const bool is, IsStore(path));
  const auto none = [&] {
    return Error(Code::kNotFound, path, ": there is no store; thimble sync FOLDER ", path, " makes one");
  };
  if (!is) return none();
  THIMBLE_RETURN_IF_ERROR(database_.Open(path, Access::kRead));
  // Empty when the sync that was to make it was killed.
  THIMBLE_ASSIGN_OR_RETURN(const std::int64_t tables, database_.Number("SELECT COUNT(*) FROM sqlite_master"));
  return tables == 0 ? none() : Check();
}

Status Store::OpenTemporary(const std::string& path, const StoreSpace& space) {
  THIMBLE_RETURN_IF_ERROR(database_.Open(path, Access::kTemporary));
  return Create(space);
}

Status Store::OpenToWrite(const std::string& path, const StoreSpace& space) {
  THIMBLE_ASSIGN_OR_RETURN([[maybe_unused]] const bool is, IsStore(path));
  THIMBLE_RETURN_IF_ERROR(database_.Open(path, Access::kCreate));
  THIMBLE_ASSIGN_OR_RETURN(const std::int64_t tables, database_.Number("SELECT COUNT(*) FROM sqlite_master"));
  if (tables == 0) {
    // Before there is a log, so that the file never has bytes that do not say that it is a store.
    THIMBLE_RETURN_IF_ERROR(Create(space));
  } else {
    THIMBLE_RETURN_IF_ERROR(Check());
    THIMBLE_RETURN_IF_ERROR(CheckSpace(space));
  }
  // A log lets others read while this writes. Where a file system cannot have one, they wait for each other.
  return database_.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
}

Status Store::Create(const StoreSpace& space) {
  Transaction transaction(database_);
  THIMBLE_RETURN_IF_ERROR(transaction.BeginWriting());
  THIMBLE_RETURN_IF_ERROR(database_.Execute(kSchema));
  THIMBLE_ASSIGN_OR_RETURN(Statement insert, database_.Prepare("INSERT INTO meta VALUES (?, ?)"));
  for (const MetaField& field : kFields) {
    const std::string value = field.text != nullptr ? space.*field.text : std::to_string(space.*field.number);
    THIMBLE_RETURN_IF_ERROR(insert.Bind(std::string_view(field.key)).Bind(std::string_view(value)).Run());
  }
  THIMBLE_RETURN_IF_ERROR(insert.Bind(std::string_view("thimble")).Bind(std::string_view(THIMBLE_VERSION)).Run());
  space_ = space;
  return transaction.Commit();
}

Status Store::CheckSpace(const StoreSpace& space) const {
  const auto differs = [&](std::string_view what, const auto& expected, const auto& found) {
    return Error(Code::kInvalidArgument, database_.path(), ": the store was made with ", what, " ", expected,
                 ", found ", found, "; use that, or --rebuild to embed everything anew");
  };
  if (space_.fingerprint != space.fingerprint) {
    return differs("the model", space_.model + " (" + space_.dtype + ", fingerprint " + space_.fingerprint + ")",
                   space.model + " (" + space.dtype + ", fingerprint " + space.fingerprint + ")");
  }
  if (space_.dimensions != space.dimensions) return differs("dimensions", space_.dimensions, space.dimensions);
  if (space_.chunk_tokens != space.chunk_tokens)
    return differs("`max_tokens`", space_.chunk_tokens, space.chunk_tokens);
  if (space_.prompts != space.prompts || space_.prompt_text != space.prompt_text) {
    const auto quoted = [](const StoreSpace& of) {
      return of.prompts == 0 ? std::string("of the model's default") : "\"" + of.prompt_text + "\" (--prompts)";
    };
    return differs("the prompt", quoted(space_), quoted(space));
  }
  return Status();
}

void Store::Finish() {
  // While somebody reads, the log stays: the next sync or the last reader removes it.
  database_.TryNow("PRAGMA journal_mode = DELETE");
}

Result<std::optional<StoredFile>> Store::FindFile(std::string_view path) {
  THIMBLE_ASSIGN_OR_RETURN(Statement find,
                           database_.Prepare("SELECT id, size, written, number, sha256 FROM files WHERE path = ?"));
  THIMBLE_ASSIGN_OR_RETURN(const bool found, find.Bind(path).Step());
  if (!found) return std::optional<StoredFile>();
  StoredFile file;
  file.id = find.Integer(0);
  file.stamp.size = static_cast<std::uint64_t>(find.Integer(1));
  file.stamp.written = find.Integer(2);
  file.stamp.number = static_cast<std::uint64_t>(find.Integer(3));
  file.sha256 = find.Text(4);
  return std::optional(file);
}

Status Store::ForEachFile(const std::function<void(std::int64_t, std::string_view)>& take) {
  THIMBLE_ASSIGN_OR_RETURN(Statement files, database_.Prepare("SELECT id, path FROM files ORDER BY path"));
  for (;;) {
    THIMBLE_ASSIGN_OR_RETURN(const bool row, files.Step());
    if (!row) return Status();
    take(files.Integer(0), files.Text(1));
  }
}

Result<std::size_t> Store::CountChunks(std::int64_t file) {
  THIMBLE_ASSIGN_OR_RETURN(Statement count, database_.Prepare("SELECT COUNT(*) FROM chunks WHERE file = ?"));
  THIMBLE_ASSIGN_OR_RETURN(const std::int64_t chunks, count.Bind(file).Number());
  return static_cast<std::size_t>(chunks);
}

Result<std::int64_t> Store::FindText(const TextHash& hash) {
  THIMBLE_ASSIGN_OR_RETURN(Statement * find, database_.Kept("SELECT id FROM texts WHERE hash = ?"));
  return find->Bind(hash).Number();
}

Status Store::BeginComparison(std::int64_t file) {
  THIMBLE_RETURN_IF_ERROR(database_.Execute(
      "CREATE TEMP TABLE IF NOT EXISTS had (hash BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;"
      "CREATE TEMP TABLE IF NOT EXISTS planned (hash BLOB PRIMARY KEY) WITHOUT ROWID;"
      "DELETE FROM had;"));
  THIMBLE_ASSIGN_OR_RETURN(Statement insert,
                           database_.Prepare("INSERT INTO had SELECT hash, COUNT(*) FROM chunks JOIN texts "
                                             "ON texts.id = chunks.text WHERE file = ? GROUP BY hash"));
  return insert.Bind(file).Run();
}

Result<bool> Store::HadChunk(const TextHash& hash) {
  THIMBLE_ASSIGN_OR_RETURN(Statement * take,
                           database_.Kept("UPDATE had SET times = times - 1 WHERE hash = ? AND times > 0"));
  THIMBLE_RETURN_IF_ERROR(take->Bind(hash).Run());
  return database_.changed();
}

Result<std::size_t> Store::CountLostChunks() {
  THIMBLE_ASSIGN_OR_RETURN(const std::int64_t chunks, database_.Number("SELECT COALESCE(SUM(times), 0) FROM had"));
  return static_cast<std::size_t>(chunks);
}

Result<bool> Store::PlanText(const TextHash& hash) {
  THIMBLE_ASSIGN_OR_RETURN(Statement * insert, database_.Kept("INSERT OR IGNORE INTO planned VALUES (?)"));
  THIMBLE_RETURN_IF_ERROR(insert->Bind(hash).Run());
  return database_.changed();
}

Result<std::int64_t> Store::AddText(const TextHash& hash, std::string_view text, std::size_t tokens,
                                    std::span<const float> vector) {
  THIMBLE_ASSIGN_OR_RETURN(Statement * insert,
                           database_.Kept("INSERT INTO texts (hash, text, tokens, vector) VALUES (?, ?, ?, ?)"));
  insert->Bind(hash).Bind(text).Bind(static_cast<std::int64_t>(tokens));
  THIMBLE_RETURN_IF_ERROR(insert->Bind(std::as_bytes(vector)).Run());
  return database_.last_row();
}

Result<std::int64_t> Store::PutFile(std::int64_t file, std::string_view path, const base::FileStamp& stamp,
                                    std::string_view sha256) {
  THIMBLE_ASSIGN_OR_RETURN(
      Statement put,
      database_.Prepare(file == 0
                            ? "INSERT INTO files (path, size, written, number, sha256) VALUES (?, ?, ?, ?, ?)"
                            : "UPDATE files SET path = ?, size = ?, written = ?, number = ?, sha256 = ? WHERE id = ?"));
  put.Bind(path).Bind(static_cast<std::int64_t>(stamp.size)).Bind(stamp.written);
  put.Bind(static_cast<std::int64_t>(stamp.number)).Bind(sha256);
  if (file != 0) put.Bind(file);
  THIMBLE_RETURN_IF_ERROR(put.Run());
  return file == 0 ? database_.last_row() : file;
}

Status Store::AddChunk(std::int64_t file, std::size_t ordinal, const Chunk& chunk, std::int64_t text) {
  THIMBLE_ASSIGN_OR_RETURN(Statement * insert, database_.Kept("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
  insert->Bind(file);
  for (const std::size_t number : {ordinal, chunk.begin, chunk.end, chunk.first_line, chunk.last_line}) {
    insert->Bind(static_cast<std::int64_t>(number));
  }
  return insert->Bind(std::string_view(chunk.heading)).Bind(text).Run();
}

Status Store::RemoveChunks(std::int64_t file) {
  THIMBLE_ASSIGN_OR_RETURN(Statement loose,
                           database_.Prepare("INSERT OR IGNORE INTO loose SELECT text FROM chunks WHERE file = ?"));
  THIMBLE_RETURN_IF_ERROR(loose.Bind(file).Run());
  THIMBLE_ASSIGN_OR_RETURN(Statement remove, database_.Prepare("DELETE FROM chunks WHERE file = ?"));
  return remove.Bind(file).Run();
}

Status Store::RemoveFile(std::int64_t file) {
  THIMBLE_RETURN_IF_ERROR(RemoveChunks(file));
  THIMBLE_ASSIGN_OR_RETURN(Statement remove, database_.Prepare("DELETE FROM files WHERE id = ?"));
  return remove.Bind(file).Run();
}

Status Store::RemoveLooseTexts() {
  return database_.Execute(
      "DELETE FROM texts WHERE id IN (SELECT text FROM loose WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE "
      "chunks.text = loose.text));"
      "DELETE FROM loose;");
}

}  // namespace thimble::sync
