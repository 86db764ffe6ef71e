// How the sources of a kind of tokenizer are read: what differs between the kinds of text/kinds.h.

#ifndef THIMBLE_CONVERT_TOKENIZER_KIND_H_
#define THIMBLE_CONVERT_TOKENIZER_KIND_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "convert/table_store.h"
#include "json/value.h"
#include "text/kinds.h"
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

// The ids of all tokens, each of which belongs to one.
class TokenIds : PartReader {
 public:
  // Ids may have gaps, but are not far beyond `expected` tokens.
  TokenIds(std::size_t expected, const std::string& path) : PartReader(path), limit_(2 * expected + kMaxGap) {}

  // Notes that `token` has `id`, which no other may have.
  Status Take(const std::string& token, std::uint32_t id);
  const std::uint32_t* Find(const std::string& token) const {
    const auto it = ids_.find(token);
    return it == ids_.end() ? nullptr : &it->second;
  }
  bool Has(std::uint32_t id) const { return id < taken_.size() && taken_[id]; }
  // Every id is below this.
  std::size_t end() const { return taken_.size(); }

 private:
  static constexpr std::size_t kMaxGap = 4096;

  const std::size_t limit_;
  std::unordered_map<std::string, std::uint32_t> ids_;
  std::vector<bool> taken_;  // Whether an id has a token.
};

struct AddedToken {
  std::string content;
  std::uint32_t id = 0;
  bool normalized = false;
  bool single_word = false;
  bool strips_left = false, strips_right = false;  // Whether it takes the spaces beside it.
};

// Reads a tokenizer.json of one kind, in the order of these functions. kCorrupt when it is malformed or contradicts
// itself, kUnsupported for what the kind does not do.
class KindReader {
 public:
  virtual ~KindReader() = default;

  // Entries of the vocabulary of `model`, an object.
  virtual Result<std::size_t> CountEntries(const json::Value& model) const = 0;
  // The id of an entry of it.
  virtual std::optional<std::uint64_t> FindEntry(const json::Value& model, const std::string& entry) const = 0;
  virtual Status ReadModel(const json::Value& model, TokenIds& ids) = 0;
  // The parts "normalizer" and "pre_tokenizer" of `root`.
  virtual Status ReadRules(const json::Value& root) = 0;
  // What is looked for in a text for each token, or in the normalised text where it is normalised.
  virtual Result<std::vector<std::string>> AddedTexts(std::span<const AddedToken> tokens) = 0;
  // The tables but those of added tokens and of what is put around a text.
  virtual Result<std::shared_ptr<text::Kind>> Compile(TableStore& store) const = 0;
};

// The settings of a folder: tokenizer_config.json, at `path`, and what wins over it.
struct FolderSettings {
  template <typename... Parts>
  Status Corrupt(std::string_view key, const Parts&... parts) const {
    return Error(Code::kCorrupt, path, ": \"", key, "\": ", parts...);
  }
  template <typename... Parts>
  Status Unsupported(std::string_view key, const Parts&... parts) const {
    return Error(Code::kUnsupported, path, ": \"", key, "\": ", parts...);
  }
  // The value of a setting, or null when there is none.
  const json::Value* Find(std::string_view key) const { return values.Find(key); }
  Status ReadBoolean(const char* key, bool& value) const {
    const json::Value* setting = Find(key);
    if (setting == nullptr) return Status();
    if (!setting->is_boolean()) return Corrupt(key, "expected true or false");
    value = setting->boolean();
    return Status();
  }

  std::string path;
  json::Object values;
};

// The classes of transformers that build a tokenizer of one kind anew, from a vocabulary and settings.
struct TokenizerClasses {
  std::span<const std::string_view> names;  // Without "Fast"; the first is for messages.
  std::unique_ptr<KindReader> (*make_reader)(const std::string& path);
  // Special tokens where no file has them, by the names of their settings.
  std::span<const std::pair<std::string_view, std::string_view>> special;
  // Where the vocabulary is if there is no tokenizer.json, and what makes the model of one of it.
  std::string_view vocabulary_file;
  Result<json::Object> (*read_vocabulary)(std::string_view contents, const std::string& path);
  // Puts into `root`, a tokenizer.json, what these classes do not take from it.
  Status (*build)(const FolderSettings& settings, const std::string& unknown, json::Object& root);
};

#define THIMBLE_DECLARE_KIND(Name)                                         \
  std::unique_ptr<KindReader> Make##Name##Reader(const std::string& path); \
  extern const TokenizerClasses k##Name##Classes;
THIMBLE_TOKENIZER_KINDS(THIMBLE_DECLARE_KIND)
#undef THIMBLE_DECLARE_KIND

// All of them; the first is what a folder that names no class has.
inline constexpr const TokenizerClasses* kTokenizerClasses[] = {
#define THIMBLE_LIST_CLASSES(Name) &k##Name##Classes,
    THIMBLE_TOKENIZER_KINDS(THIMBLE_LIST_CLASSES)
#undef THIMBLE_LIST_CLASSES
};

// Of the kind that `model`, an object, names. kCorrupt or kUnsupported when there is none.
Result<std::unique_ptr<KindReader>> MakeKindReader(const json::Value& model, const std::string& path);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_KIND_H_
