// How thimble reports failure: a Status, or a Result with a value or a Status.
//
//   thimble::Result<std::shared_ptr<const thimble::Model>> model = thimble::Model::Open(path);
//   if (!model.ok()) {
//     std::fprintf(stderr, "%s\n", model.status().message().c_str());
//     return 1;
//   }
//   Use(**model);
//
// No function of thimble throws, aborts or prints. Messages state what failed, where, what was expected and found.

#ifndef THIMBLE_STATUS_H_
#define THIMBLE_STATUS_H_

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "thimble/export.h"

namespace thimble::inline v0_1 {

// What a caller can act on.
enum class Code {
  kOk = 0,
  kInvalidArgument,  // The caller passed something that can never work.
  kNotFound,         // The named file, model or tensor does not exist.
  kCorrupt,          // A file contradicts itself or its format.
  kUnsupported,      // Well formed, but not supported by this build.
  kIo,               // The operating system refused or failed.
  kOutOfMemory,      // Memory or the budget is not sufficient.
  kOverloaded,       // Busy; the same call may succeed later.
};

// The name of a code as it appears in messages and bindings, for example "corrupt".
THIMBLE_API std::string_view CodeName(Code code);

// Success, or a code with a message. Cheap to move. Thread-compatible.
class [[nodiscard]] THIMBLE_API Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

// A value of type T, or the Status that explains its absence. Dereferencing requires ok().
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) { assert(!status_.ok()); }

  bool ok() const { return value_.has_value(); }
  // Ok when a value is held.
  const Status& status() const { return status_; }

  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_STATUS_H_
