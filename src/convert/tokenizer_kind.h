// How the sources of a kind of tokenizer are read: what differs between the kinds of text/kinds.h.

#ifndef THIMBLE_CONVERT_TOKENIZER_KIND_H_
#define THIMBLE_CONVERT_TOKENIZER_KIND_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "convert/table_store.h"
#include "convert/tokenizer_part.h"
#include "json/value.h"
#include "text/kinds.h"
#include "thimble/status.h"

namespace thimble::convert {

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
};

// Reads a tokenizer.json of one kind, in the order of these functions. kCorrupt when it is malformed or contradicts
// itself, kUnsupported for what the kind does not do.
class KindReader {
 public:
  virtual ~KindReader() = default;

  // Entries of the vocabulary of `model`, an object.
  virtual Result<std::size_t> CountEntries(const json::Value& model) const = 0;
  virtual Status ReadModel(const json::Value& model, TokenIds& ids) = 0;
  // The parts "normalizer" and "pre_tokenizer" of `root`.
  virtual Status ReadRules(const json::Value& root) = 0;
  // What is looked for in a text, or in the normalised text if `token` is normalised. `strips` says whether any added
  // token takes the spaces beside it.
  virtual Result<std::string> AddedText(const AddedToken& token, bool strips) const = 0;
  // The tables but those of added tokens and of what is put around a text.
  virtual Result<std::shared_ptr<text::Kind>> Compile(TableStore& store) const = 0;
};

#define THIMBLE_DECLARE_READER(Name) std::unique_ptr<KindReader> Make##Name##Reader(const std::string& path);
THIMBLE_TOKENIZER_KINDS(THIMBLE_DECLARE_READER)
#undef THIMBLE_DECLARE_READER

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_KIND_H_
