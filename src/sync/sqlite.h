// SQLite, loaded when it is first needed: linked, it would slow every start. Its interface in C is fixed for ever, so
// that what is used of it is declared here and no build needs its headers.

#ifndef THIMBLE_SYNC_SQLITE_H_
#define THIMBLE_SYNC_SQLITE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "thimble/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace thimble::sync {

// F(member, result, parameters) for each function, of that name behind sqlite3_.
// clang-format off
#define THIMBLE_SQLITE_FUNCTIONS(F) \
  F(libversion_number, int, ()) \
  F(open_v2, int, (const char*, sqlite3**, int, const char*)) \
  F(close, int, (sqlite3*)) \
  F(busy_timeout, int, (sqlite3*, int)) \
  F(exec, int, (sqlite3*, const char*, int (*)(void*, int, char**, char**), void*, char**)) \
  F(errmsg, const char*, (sqlite3*)) \
  F(errstr, const char*, (int)) \
  F(prepare_v2, int, (sqlite3*, const char*, int, sqlite3_stmt**, const char**)) \
  F(step, int, (sqlite3_stmt*)) \
  F(reset, int, (sqlite3_stmt*)) \
  F(finalize, int, (sqlite3_stmt*)) \
  F(bind_int64, int, (sqlite3_stmt*, int, long long)) \
  F(bind_text, int, (sqlite3_stmt*, int, const char*, int, void (*)(void*))) \
  F(bind_blob, int, (sqlite3_stmt*, int, const void*, int, void (*)(void*))) \
  F(column_int64, long long, (sqlite3_stmt*, int)) \
  F(column_text, const unsigned char*, (sqlite3_stmt*, int)) \
  F(column_blob, const void*, (sqlite3_stmt*, int)) \
  F(column_bytes, int, (sqlite3_stmt*, int)) \
  F(changes, int, (sqlite3*)) \
  F(last_insert_rowid, long long, (sqlite3*))
// clang-format on
struct SqliteLibrary {
#define THIMBLE_DECLARE_FUNCTION(name, result, parameters) result(*name) parameters = nullptr;
  THIMBLE_SQLITE_FUNCTIONS(THIMBLE_DECLARE_FUNCTION)
#undef THIMBLE_DECLARE_FUNCTION
};

// Loads it once; it stays until the process ends. Thread-safe. kUnsupported when it is not installed or too old.
Result<const SqliteLibrary*> LoadSqlite();

class Database;

// A prepared statement; parameters and columns count from 0. Move-only. Thread-compatible.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // What is bound must stay until the next Reset.
  Statement& Bind(std::int64_t number);
  Statement& Bind(std::string_view text);
  Statement& Bind(std::span<const std::byte> bytes);
  // Whether there is a row; false at the end.
  Result<bool> Step();
  // Steps to the end, and resets.
  Status Run();
  // The integer of the first row, 0 where there is none; resets.
  Result<std::int64_t> Number();
  // Makes it ready for the next parameters.
  void Reset();

  std::int64_t Integer(int column) const;
  std::string_view Text(int column) const;  // Until the next Step.
  std::span<const std::byte> Bytes(int column) const;

 private:
  friend class Database;
  Statement(const Database& database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}

  const Database& database_;
  sqlite3_stmt* statement_;
  int next_parameter_ = 1;
};

// kTemporary opens no file: what is there goes with the Database.
enum class Access { kRead, kCreate, kTemporary };

// An open file, which must outlive its statements. Not movable. Thread-compatible. Errors name the file: kCorrupt for a
// damaged one and one that is no database, kOverloaded where another process holds it for longer than a minute, else
// kIo.
class Database {
 public:
  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  Status Open(const std::string& path, Access access);
  // One or several statements without results.
  Status Execute(const char* sql);
  Result<Statement> Prepare(const char* sql);
  // The same, kept for further calls with this literal, each of which must end with Run() or Number().
  Result<Statement*> Kept(const char* sql);
  // As Statement::Number().
  Result<std::int64_t> Number(const char* sql);
  // Executes what may as well fail, without waiting for others.
  void TryNow(const char* sql);
  std::int64_t last_row() const;
  // Whether the last statement that inserts, changes or deletes found a row to do so.
  bool changed() const;
  const std::string& path() const { return path_; }

 private:
  friend class Statement;
  Status Failure(int code) const;

  const SqliteLibrary* sqlite_ = nullptr;
  sqlite3* database_ = nullptr;
  std::string path_;
  std::map<const char*, Statement> kept_;
};

// Undoes what was done since it began unless Commit() succeeds.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) {}
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  Status BeginWriting();
  Status BeginReading();
  Status Commit();

 private:
  Database& database_;
  bool open_ = false;
};

}  // namespace thimble::sync

#endif  // THIMBLE_SYNC_SQLITE_H_
