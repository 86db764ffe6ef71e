// The added and special tokens of a folder: who names them, and which ids they get.

#ifndef THIMBLE_CONVERT_TOKENIZER_TOKENS_H_
#define THIMBLE_CONVERT_TOKENIZER_TOKENS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convert/tokenizer_class.h"
#include "json/value.h"
#include "thimble/status.h"

namespace thimble::convert {

// Reads them in the order of these functions. All that is passed must outlive it.
class FolderTokens {
 public:
  // The id of an entry of the vocabulary.
  using FindEntry = std::function<std::optional<std::uint64_t>(const std::string&)>;

  // `arguments` win over what files say; `builds` is null for a tokenizer.json as it is.
  FolderTokens(const std::string& folder, FolderSettings& settings, const json::Value& arguments,
               const TokenizerClass* builds)
      : folder_(folder), settings_(settings), arguments_(arguments), builds_(builds) {}

  // The tokens that files list with an id, `listed` of tokenizer.json among them: an array of tokens with ids. Puts
  // what old folders say of special tokens into the settings.
  Status ReadListed(const json::Value& listed);
  // The tokens with a role.
  Status ReadSpecial();
  // Special tokens without a role; those of `vocabulary`, where there is one, unless a setting has some.
  Status ReadExtra(const FindEntry& find, const Vocabulary* vocabulary);

  const SpecialTokens& special() const { return special_; }

  // Gives the tokens their ids, the first new one `next_id`, and adds them to `list`, that of tokenizer.json at `path`.
  // Leaves out tokens that no file lists and that have no row among `embeddings`, but for those around texts.
  Status AddTo(json::Array& list, const std::string& path, std::uint64_t next_id, std::size_t embeddings,
               const FindEntry& find);
  // Of a token of AddTo.
  std::uint64_t Id(std::string_view content) const { return ids_.find(content)->second; }

 private:
  Status ReadToken(const json::Value& json, std::string_view where, FolderToken& token) const;
  Status ReadRole(const json::Value& json, std::string_view where, FolderToken& token) const;
  Status ReadSpecialTokensMap();
  Status ReadAddedTokensFile(std::map<std::uint32_t, FolderToken>& listed) const;
  Status ReadExtraSetting(std::string_view key, const FindEntry& find);
  Status RequireKnown(std::string_view key, const FolderToken& token, const FindEntry& find) const;
  Status Relist(const FolderToken& token, bool normalized, const std::string& path, json::Array& list) const;

  const std::string& folder_;
  FolderSettings& settings_;
  const json::Value& arguments_;
  const TokenizerClass* const builds_;
  bool extra_in_map_ = false;        // Whether only special_tokens_map.json names special tokens without a role.
  std::vector<FolderToken> listed_;  // In the order of their ids in files.
  SpecialTokens special_;
  std::vector<FolderToken> extra_;
  std::map<std::string, std::uint64_t, std::less<>> ids_;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_TOKENS_H_
