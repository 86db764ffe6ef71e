// WordPiece with a normaliser and pre-tokenizer of BERT's kind.

#include <algorithm>
#include <utility>

#include "convert/table_store.h"
#include "convert/tokenizer_kind.h"
#include "convert/tokenizer_normalizer.h"
#include "text/utf8.h"
#include "text/wordpiece.h"

namespace thimble::convert {
namespace {

using Json = json::Value;

class WordPieceReader final : public EntriesReader {
 public:
  using EntriesReader::EntriesReader;

  Status ReadModel(const Json& model, TokenIds& ids) override {
    THIMBLE_RETURN_IF_ERROR(ReadString(model, "model", "continuing_subword_prefix", continuation_));
    if (continuation_.size() > text::kMaxPieceBytes) {
      return Unsupported("model.continuing_subword_prefix is longer than ", text::kMaxPieceBytes, " bytes");
    }
    const Json* longest = model.FindSet("max_input_chars_per_word");
    if (longest == nullptr || !longest->is_unsigned() || longest->integer() == 0 || longest->integer() > UINT32_MAX) {
      return Corrupt("model.max_input_chars_per_word is not a positive whole number");
    }
    if (longest->integer() > text::kMaxWordChars) {
      return Unsupported("model.max_input_chars_per_word is ", longest->integer(), ", at most ", text::kMaxWordChars,
                         " is supported");
    }
    max_word_chars_ = static_cast<std::uint32_t>(longest->integer());
    THIMBLE_RETURN_IF_ERROR(ReadPieces(model.Find("vocab")->object(), ids));

    std::string unknown;
    THIMBLE_RETURN_IF_ERROR(ReadString(model, "model", "unk_token", unknown));
    const std::uint32_t* id = ids.Find(unknown);
    if (id == nullptr) return Corrupt("model.unk_token \"", unknown, "\" is not in the vocabulary");
    unknown_id_ = *id;
    return Status();
  }

  Status ReadRules(const Json& root) override {
    THIMBLE_ASSIGN_OR_RETURN(const TokenizerRules rules, convert::ReadRules(root, path_));
    trims_ = rules.trims;
    normalizer_.emplace(rules);
    return Status();
  }

  Result<std::vector<std::string>> AddedTexts(std::span<const AddedToken> tokens) override {
    // Spaces only part words, so that taking those beside a token has no effect on the ids, unless a token has some.
    const bool strips = trims_ || std::any_of(tokens.begin(), tokens.end(), [](const AddedToken& token) {
                          return token.strips_left || token.strips_right;
                        });
    std::vector<std::string> texts;
    for (const AddedToken& token : tokens) {
      std::string text = token.content;
      if (token.normalized) {
        Result<std::string> normalized = normalizer_->Normalize(text);
        if (!normalized.ok()) {
          return Error(normalized.status().code(), path_, ": added token \"", text, "\" ",
                       normalized.status().message());
        }
        text = std::move(*normalized);
        if (text.empty()) return Unsupported("added token \"", token.content, "\" normalises to nothing");
      }
      if (strips && normalizer_->HasSpaceAtEdge(text)) {
        return Unsupported("added token \"", token.content, "\" has a space at its edge, and another one has lstrip ",
                           "or rstrip, or the normalizer has Strip");
      }
      texts.push_back(std::move(text));
    }
    return texts;
  }

  Result<std::shared_ptr<text::Kind>> Compile(TableStore& store) const override {
    auto kind = std::make_shared<text::WordPiece>();
    kind->trie = BuildTrie(pieces_, store);
    THIMBLE_ASSIGN_OR_RETURN(kind->normalizer, normalizer_->Compile(store));
    kind->continuation = store.Keep(std::vector<std::uint8_t>(continuation_.begin(), continuation_.end()));
    kind->continuation_bytes = static_cast<std::uint32_t>(continuation_.size());
    kind->unknown = unknown_id_;
    kind->max_word_chars = max_word_chars_;
    return std::shared_ptr<text::Kind>(std::move(kind));
  }

 private:
  Status ReadPieces(const json::Object& vocabulary, TokenIds& ids) {
    std::size_t nodes = 0;
    for (const auto& [piece, value] : vocabulary) {
      std::uint32_t id = 0;
      THIMBLE_RETURN_IF_ERROR(ReadId(value, "the id of \"" + piece + "\" in model.vocab", id));
      if (piece.size() > text::kMaxPieceBytes) {
        return Unsupported("model.vocab has a piece longer than ", text::kMaxPieceBytes, " bytes");
      }
      THIMBLE_RETURN_IF_ERROR(ids.Take(piece, id));
      nodes += piece.size();
      if (!piece.empty()) pieces_.emplace_back(piece, id);
    }
    if (pieces_.empty()) return Corrupt("model.vocab has only the empty piece");
    if (nodes > text::kMaxNodes) return Unsupported("model.vocab has ", nodes, " bytes, at most ", text::kMaxNodes);
    std::sort(pieces_.begin(), pieces_.end());
    return Status();
  }

  std::vector<std::pair<std::string, std::uint32_t>> pieces_;  // Distinct, not empty, sorted by bytes.
  std::string continuation_;
  std::uint32_t unknown_id_ = 0;
  std::uint32_t max_word_chars_ = 0;
  bool trims_ = false;  // Spaces at the ends of a text are removed.
  std::optional<NormalizerCompiler> normalizer_;
};

}  // namespace

std::unique_ptr<KindReader> MakeWordPieceReader(const std::string& path) {
  return std::make_unique<WordPieceReader>(path);
}

}  // namespace thimble::convert
