// Finds SQLite and its functions; results as Status.

#include "sync/sqlite.h"

#include <utility>

#include "base/shared_library.h"

namespace thimble::sync {
namespace {

#if defined(__APPLE__)
constexpr const char* kSqliteNames[] = {"libsqlite3.dylib", "/usr/lib/libsqlite3.dylib"};
constexpr const char* kSqliteAdvice = "it is a part of macOS";
#else
constexpr const char* kSqliteNames[] = {"libsqlite3.so.0"};
constexpr const char* kSqliteAdvice = "install libsqlite3-0 (Debian, Ubuntu) or sqlite-libs (Alpine, Fedora)";
#endif

// Values of sqlite3.h, which no version changes.
constexpr int kOk = 0, kBusy = 5, kNoMemory = 7, kReadOnly = 8, kCorrupt = 11, kFull = 13, kCannotOpen = 14,
              kNotDatabase = 26, kRow = 100, kDone = 101;
constexpr int kOpenReadOnly = 1, kOpenReadWrite = 2, kOpenCreate = 4;
// The first with tables WITHOUT ROWID.
constexpr int kLeastVersion = 3'008'002;
// How long a change of another process is waited for.
constexpr int kBusyMilliseconds = 60'000;

Result<SqliteLibrary> Load() {
  const Result<void*> library = base::LoadSharedLibrary(kSqliteNames);
  if (!library.ok()) {
    return Error(Code::kUnsupported, "a store needs SQLite: ", kSqliteAdvice, " (", library.status().message(), ")");
  }
  SqliteLibrary sqlite;
  std::string missing;
#define THIMBLE_FIND_FUNCTION(name, result, parameters) \
  if (!base::FindFunction(*library, "sqlite3_" #name, sqlite.name)) missing = "sqlite3_" #name;
  THIMBLE_SQLITE_FUNCTIONS(THIMBLE_FIND_FUNCTION)
#undef THIMBLE_FIND_FUNCTION
  if (!missing.empty()) {
    return Error(Code::kUnsupported, "the SQLite of this system lacks ", missing, ": ", kSqliteAdvice);
  }
  if (const int version = sqlite.libversion_number(); version < kLeastVersion) {
    return Error(Code::kUnsupported, "a store needs SQLite 3.8.2 or newer, found ", version / 1'000'000, ".",
                 version / 1000 % 1000, ".", version % 1000, ": ", kSqliteAdvice);
  }
  return sqlite;
}

}  // namespace

Result<const SqliteLibrary*> LoadSqlite() {
  static const Result<SqliteLibrary> library = Load();
  if (!library.ok()) return library.status();
  return &*library;
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      next_parameter_(other.next_parameter_) {}

Statement::~Statement() {
  if (statement_ != nullptr) database_.sqlite_->finalize(statement_);
}

Statement& Statement::Bind(std::int64_t number) {
  database_.sqlite_->bind_int64(statement_, next_parameter_++, number);
  return *this;
}

// A null pointer would bind NULL.
Statement& Statement::Bind(std::string_view text) {
  database_.sqlite_->bind_text(statement_, next_parameter_++, text.empty() ? "" : text.data(),
                               static_cast<int>(text.size()), nullptr);
  return *this;
}

Statement& Statement::Bind(std::span<const std::byte> bytes) {
  database_.sqlite_->bind_blob(statement_, next_parameter_++,
                               bytes.empty() ? "" : static_cast<const void*>(bytes.data()),
                               static_cast<int>(bytes.size()), nullptr);
  return *this;
}

Result<bool> Statement::Step() {
  const int code = database_.sqlite_->step(statement_);
  if (code == kRow) return true;
  if (code == kDone) return false;
  return database_.Failure(code);
}

Status Statement::Run() {
  Status status;
  for (;;) {
    Result<bool> row = Step();
    if (!row.ok()) status = row.status();
    if (!row.ok() || !*row) break;
  }
  Reset();
  return status;
}

Result<std::int64_t> Statement::Number() {
  const Result<bool> row = Step();
  const std::int64_t number = row.ok() && *row ? Integer(0) : 0;
  Reset();
  if (!row.ok()) return row.status();
  return number;
}

void Statement::Reset() {
  database_.sqlite_->reset(statement_);
  next_parameter_ = 1;
}

std::int64_t Statement::Integer(int column) const { return database_.sqlite_->column_int64(statement_, column); }

std::string_view Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(database_.sqlite_->column_text(statement_, column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(database_.sqlite_->column_bytes(statement_, column))};
}

std::span<const std::byte> Statement::Bytes(int column) const {
  const auto* bytes = static_cast<const std::byte*>(database_.sqlite_->column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(database_.sqlite_->column_bytes(statement_, column))};
}

Database::~Database() {
  kept_.clear();
  if (database_ != nullptr) sqlite_->close(database_);
}

Status Database::Failure(int code) const {
  const int kind = code & 0xff;
  const char* text = database_ == nullptr ? sqlite_->errstr(code) : sqlite_->errmsg(database_);
  const std::string message = path_ + ": " + (text == nullptr ? "unknown error" : text);
  switch (kind) {
    case kNoMemory:
      return Error(Code::kOutOfMemory, message);
    case kNotDatabase:
      return Error(Code::kCorrupt, path_, ": expected a store of thimble sync, found a file of another kind");
    case kCorrupt:
      return Error(Code::kCorrupt, message, ": the store is damaged; thimble sync --rebuild makes it anew");
    case kBusy:
      return Error(Code::kOverloaded, message, ": another process has been writing to it for a minute");
    case kFull:
      return Error(Code::kIo, message, ": no room; the store is as it was after the last complete file");
    case kReadOnly:
    case kCannotOpen:
    default:
      return Error(Code::kIo, message);
  }
}

Status Database::Open(const std::string& path, Access access) {
  THIMBLE_ASSIGN_OR_RETURN(sqlite_, LoadSqlite());
  path_ = path;
  const int flags = access == Access::kRead ? kOpenReadOnly : kOpenReadWrite | kOpenCreate;
  const char* file = access == Access::kTemporary ? "" : path.c_str();
  if (const int code = sqlite_->open_v2(file, &database_, flags, nullptr); code != kOk) return Failure(code);
  sqlite_->busy_timeout(database_, kBusyMilliseconds);
  // Of pages, in KiB: little memory, and enough for the upper levels of its trees.
  return Execute(
      "PRAGMA cache_size = -1024; PRAGMA temp.cache_size = -512; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = "
      "OFF;");
}

Status Database::Execute(const char* sql) {
  const int code = sqlite_->exec(database_, sql, nullptr, nullptr, nullptr);
  return code == kOk ? Status() : Failure(code);
}

Result<Statement> Database::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (const int code = sqlite_->prepare_v2(database_, sql, -1, &statement, nullptr); code != kOk) return Failure(code);
  return Statement(*this, statement);
}

Result<Statement*> Database::Kept(const char* sql) {
  const auto kept = kept_.find(sql);
  if (kept != kept_.end()) return &kept->second;
  THIMBLE_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  return &kept_.emplace(sql, std::move(statement)).first->second;
}

Result<std::int64_t> Database::Number(const char* sql) {
  THIMBLE_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  return statement.Number();
}

void Database::TryNow(const char* sql) {
  sqlite_->busy_timeout(database_, 0);
  sqlite_->exec(database_, sql, nullptr, nullptr, nullptr);
  sqlite_->busy_timeout(database_, kBusyMilliseconds);
}

std::int64_t Database::last_row() const { return sqlite_->last_insert_rowid(database_); }

bool Database::changed() const { return sqlite_->changes(database_) > 0; }

Transaction::~Transaction() {
  // SQLite itself undoes what fails for want of room; then there is nothing to undo, which is no matter.
  if (open_ && !database_.Execute("ROLLBACK").ok()) return;
}

Status Transaction::BeginWriting() {
  const Status status = database_.Execute("BEGIN IMMEDIATE");
  open_ = status.ok();
  return status;
}

Status Transaction::BeginReading() {
  const Status status = database_.Execute("BEGIN");
  open_ = status.ok();
  return status;
}

Status Transaction::Commit() {
  THIMBLE_RETURN_IF_ERROR(database_.Execute("COMMIT"));
  open_ = false;
  return Status();
}

}  // namespace thimble::sync
