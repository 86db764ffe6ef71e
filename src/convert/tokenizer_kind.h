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
  // Whether lstrip and rstrip count, because spaces are more than ends of words.
  virtual bool keeps_spaces() const { return false; }
  // Whether tokens that are normalised are looked for behind normalisation; else there is none.
  virtual bool normalizes() const { return true; }
  // What is looked for in a text for each token, or in the normalised text where it is normalised.
  virtual Result<std::vector<std::string>> AddedTexts(std::span<const AddedToken> tokens) = 0;
  // The tables but those of added tokens and of what is put around a text.
  virtual Result<std::shared_ptr<text::Kind>> Compile(TableStore& store) const = 0;
};

#define THIMBLE_DECLARE_KIND(Name) std::unique_ptr<KindReader> Make##Name##Reader(const std::string& path);
THIMBLE_TOKENIZER_KINDS(THIMBLE_DECLARE_KIND)
#undef THIMBLE_DECLARE_KIND

// Reads a kind whose model has an object of entries and their ids.
class EntriesReader : public KindReader, protected PartReader {
 public:
  explicit EntriesReader(const std::string& path) : PartReader(path) {}

  Result<std::size_t> CountEntries(const json::Value& model) const final {
    const json::Value* vocabulary = model.FindSet("vocab");
    if (vocabulary == nullptr || !vocabulary->is_object()) return Corrupt("model.vocab is not an object");
    if (vocabulary->empty()) return Corrupt("model.vocab is empty");
    return vocabulary->object().size();
  }

  std::optional<std::uint64_t> FindEntry(const json::Value& model, const std::string& entry) const final {
    const json::Value* id = model.Find("vocab")->Find(entry);
    if (id == nullptr || !id->is_unsigned()) return std::nullopt;
    return id->integer();
  }
};

// Of the kind that `model`, an object, names. kCorrupt or kUnsupported when there is none.
Result<std::unique_ptr<KindReader>> MakeKindReader(const json::Value& model, const std::string& path);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_KIND_H_
