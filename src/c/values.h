// From the structs of C to C++ and back.

#ifndef THIMBLE_C_VALUES_H_
#define THIMBLE_C_VALUES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "json/value.h"
#include "thimble/cache.h"
#include "thimble/embedder.h"
#include "thimble/exact_cache.h"
#include "thimble/pool.h"
#include "thimble/precision.h"
#include "thimble/rerank.h"
#include "thimble/status.h"
#include "thimble/thimble_c.h"

namespace thimble::c {

// The code of `status`; `text` gets its message, or `value` if it is ok.
thimble_code Give(const Status& status, thimble_text* text, std::string_view value = {});

inline std::string ToString(const char* text) { return text == nullptr ? std::string() : std::string(text); }
inline std::string ToDtype(const char* dtype) { return dtype == nullptr ? "q8" : dtype; }

// Copies the caller's struct, of whatever size, into `options`, which begins with zeros. kInvalidArgument for a size
// that cannot be, and for fields that this library does not know.
template <typename T>
Status ReadOptions(const T* given, T& options) {
  options = {};
  if (given == nullptr) return Status();
  const std::size_t size = given->struct_size;
  if (size < sizeof size) {
    return Error(Code::kInvalidArgument, "struct_size: expected the size of the struct of options, found ", size);
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  if (size > sizeof options &&
      std::any_of(bytes + sizeof options, bytes + size, [](unsigned char b) { return b != 0; })) {
    return Error(Code::kInvalidArgument,
                 "options: the program was compiled for a newer thimble and sets an option that ",
                 "this one lacks; expected at most ", sizeof options, " bytes, found ", size);
  }
  std::memcpy(static_cast<void*>(&options), given, std::min(size, sizeof options));
  return Status();
}

// What parse(text) makes of a name that is given, into `to`, which otherwise stays as it is.
template <typename T, typename Parse>
Status ReadName(const char* text, Parse&& parse, T& to) {
  if (text == nullptr) return Status();
  THIMBLE_ASSIGN_OR_RETURN(to, parse(text));
  return Status();
}

// kInvalidArgument for texts that end before they begin.
Result<std::vector<std::string_view>> ToViews(const thimble_texts* texts, std::string_view what);
// Lists of ids one behind the other: list i is ids[offsets[i]] to ids[offsets[i + 1]].
struct IdLists {
  std::vector<std::int32_t> ids;
  std::vector<std::uint64_t> offsets;
};
Result<IdLists> ToLists(const thimble_ids* given);

Result<std::optional<bool>> ToChoice(std::int32_t choice, std::string_view what);

Result<PoolOptions> ToPoolOptions(const thimble_pool_options* given);

// How the caller wants its vectors.
struct Wanted {
  VectorOptions options;
  Precision precision = Precision::kFloat32;
  std::int32_t timeout_ms = 0;
};
Result<Wanted> ToWanted(const thimble_encode_options* given);
Result<RankOptions> ToRankOptions(const thimble_rank_options* given);

// Where none is asked for: the processors that the process may use, at most 8.
std::size_t DefaultThreads();

thimble_report FromReport(const Report& report);

}  // namespace thimble::c

#endif  // THIMBLE_C_VALUES_H_
