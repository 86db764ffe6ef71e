// Checked access to the parts of a tokenizer.json.

#ifndef THIMBLE_CONVERT_TOKENIZER_PART_H_
#define THIMBLE_CONVERT_TOKENIZER_PART_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "json/value.h"
#include "thimble/status.h"

namespace thimble::convert {

inline constexpr std::uint32_t kMaxId = (1u << 24) - 1;  // The tables keep 24 bits of an id.

// What the readers of a part have in common. `path`, which must outlive it, names the source in messages.
class PartReader {
 protected:
  explicit PartReader(const std::string& path) : path_(path) {}
  ~PartReader() = default;

  template <typename... Parts>
  Status Corrupt(const Parts&... parts) const {
    return Error(Code::kCorrupt, path_, ": ", parts...);
  }
  template <typename... Parts>
  Status Unsupported(const Parts&... parts) const {
    return Error(Code::kUnsupported, path_, ": ", parts...);
  }

  Status ReadString(const json::Value& object, std::string_view where, const char* key, std::string& value) const {
    const json::Value* member = object.FindSet(key);
    if (member == nullptr || !member->is_string()) return Corrupt(where, ".", key, " is not a string");
    value = member->string();
    return Status();
  }

  Status ReadBoolean(const json::Value& object, std::string_view where, const char* key, bool fallback,
                     bool& value) const {
    const json::Value* member = object.FindSet(key);
    value = fallback;
    if (member == nullptr) return Status();
    if (!member->is_boolean()) return Corrupt(where, ".", key, " is not true or false");
    value = member->boolean();
    return Status();
  }

  Result<const json::Value*> ReadArray(const json::Value& object, std::string_view where, const char* key) const {
    const json::Value* member = object.FindSet(key);
    if (member == nullptr || !member->is_array()) return Corrupt(where, ".", key, " is not an array");
    return member;
  }

  Status ReadId(const json::Value& value, std::string_view where, std::uint32_t& id) const {
    if (!value.is_unsigned() || value.integer() > kMaxId) {
      return Corrupt(where, " is not a whole number from 0 to ", kMaxId);
    }
    id = static_cast<std::uint32_t>(value.integer());
    return Status();
  }

  const std::string& path_;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_PART_H_
