// What a backend has to be, so that chains and calls need not know which it is.

#ifndef THIMBLE_BACKENDS_MEMBER_H_
#define THIMBLE_BACKENDS_MEMBER_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "thimble/backend.h"
#include "thimble/status.h"

namespace thimble::backends {

using Time = std::chrono::steady_clock::time_point;
inline constexpr Time kNever = Time::max();

// Of a thread that embeds or sends requests: libcurl and its TLS need more than an embedding.
inline constexpr std::size_t kStackBytes = 512 << 10;

// A text, and where its vector goes.
struct Item {
  std::string_view text;
  std::size_t place = 0;  // What messages call it: texts[place].
  Embedding embedding = {};

  bool done() const { return !embedding.vector.empty(); }
};

// A call as members see it.
struct Call {
  std::optional<std::string> prompt_name = {};
  std::optional<LongTexts> long_texts = {};
  std::optional<bool> normalize = {};
  std::function<bool()> go_on = {};  // Not empty. Thread-safe.
  Time deadline = kNever;
};

// Thread-safe.
class Member {
 public:
  virtual ~Member() = default;
  // "native", "openai".
  virtual const std::string& name() const = 0;
  // Differs where vector spaces do, as far as that is known before anybody is asked.
  virtual const std::string& identity() const = 0;
  virtual Result<BackendInfo> Describe(const Call& call) = 0;
  // Embeds items that are not done. After a failure some may be.
  virtual Status Embed(std::span<Item* const> items, const Call& call) = 0;
};

// Why a call ends early: its caller ended it, or its time is over. Ok when neither is so.
Status CheckGoesOn(const Call& call, std::string_view name, Time now);

}  // namespace thimble::backends

#endif  // THIMBLE_BACKENDS_MEMBER_H_
