// Unigram with the normalizers and pre-tokenizers that come with it.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <utility>

#include "convert/table_store.h"
#include "convert/tokenizer_kind.h"
#include "convert/tokenizer_steps.h"
#include "text/trie.h"
#include "text/unigram.h"
#include "text/utf8.h"

namespace thimble::convert {
namespace {

using Json = json::Value;
using text::SplitRules;

class UnigramReader final : public KindReader, PartReader {
 public:
  explicit UnigramReader(const std::string& path) : PartReader(path), normalizer_(path) {}

  Result<std::size_t> CountEntries(const Json& model) const override {
    const Json* vocabulary = model.FindSet("vocab");
    if (vocabulary == nullptr || !vocabulary->is_array()) return Corrupt("model.vocab is not an array");
    if (vocabulary->empty()) return Corrupt("model.vocab is empty");
    return vocabulary->array().size();
  }

  std::optional<std::uint64_t> FindEntry(const Json& model, const std::string& entry) const override {
    const json::Array& vocabulary = model.Find("vocab")->array();
    for (std::size_t id = vocabulary.size(); id > 0; --id) {
      const Json& pair = vocabulary[id - 1];
      if (pair.is_array() && !pair.empty() && pair.array()[0].Is(entry)) return id - 1;
    }
    return std::nullopt;
  }

  Status ReadModel(const Json& model, TokenIds& ids) override {
    THIMBLE_RETURN_IF_ERROR(ReadPieces(model.Find("vocab")->array(), ids));
    const Json* unknown = model.FindSet("unk_id");
    if (unknown == nullptr) return Unsupported("model.unk_id is missing, the library fails on unknown characters");
    THIMBLE_RETURN_IF_ERROR(ReadId(*unknown, "model.unk_id", unknown_id_));
    if (unknown_id_ >= scores_.size()) return Corrupt("model.unk_id is ", unknown_id_, ", not in the vocabulary");
    // What follows from it: unknown characters never have the best score if a piece has the same bytes.
    if (scores_[unknown_id_] > 0 || *std::min_element(scores_.begin(), scores_.end()) >= kUnlikely) {
      return Unsupported("model.vocab has scores that are no logarithms of probabilities");
    }
    bool falls_back;
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(model, "model", "byte_fallback", false, falls_back));
    return falls_back ? ReadBytes(ids) : Status();
  }

  Status ReadRules(const Json& root) override {
    if (const Json* normalizer = root.FindSet("normalizer")) THIMBLE_RETURN_IF_ERROR(normalizer_.Read(*normalizer));
    const Json* pre_tokenizer = root.FindSet("pre_tokenizer");
    return pre_tokenizer == nullptr ? Status() : ReadPreTokenizer(*pre_tokenizer);
  }

  bool keeps_spaces() const override { return true; }

  Result<std::vector<std::string>> AddedTexts(std::span<const AddedToken> tokens) override {
    const auto strips = [](const AddedToken& token) { return token.strips_left || token.strips_right; };
    const bool any_strips = std::any_of(tokens.begin(), tokens.end(), strips);
    TableStore store;
    text::StepTables tables;
    if (std::any_of(tokens.begin(), tokens.end(), [](const AddedToken& token) { return token.normalized; })) {
      THIMBLE_ASSIGN_OR_RETURN(tables, normalizer_.Compile(store));
      THIMBLE_RETURN_IF_ERROR(tables.Check());
    }
    std::vector<std::string> texts;
    for (const AddedToken& token : tokens) {
      std::string text = token.normalized ? Normalize(tables, token.content) : token.content;
      if (text.empty()) return Unsupported("added token \"", token.content, "\" normalises to nothing");
      const std::uint8_t* begin = reinterpret_cast<const std::uint8_t*>(text.data());
      const std::uint8_t* end = begin + text.size();
      std::uint32_t last = 0;
      for (const std::uint8_t* next = begin; next != end;) last = text::DecodeUtf8(next, end);
      if (any_strips && (text::IsWhiteSpace(text::DecodeUtf8(begin, end)) || text::IsWhiteSpace(last))) {
        return Unsupported("added token \"", token.content,
                           "\" has a space at its edge, and another one has lstrip or ", "rstrip");
      }
      texts.push_back(std::move(text));
    }
    return texts;
  }

  Result<std::shared_ptr<text::Kind>> Compile(TableStore& store) const override {
    auto kind = std::make_shared<text::Unigram>();
    kind->trie = BuildTrie(pieces_, store);
    THIMBLE_ASSIGN_OR_RETURN(kind->normalizer, normalizer_.Compile(store));
    std::vector<double> scores;
    const text::Trie trie(kind->trie);
    for (std::uint32_t token = 0; token < trie.CountTokens(); ++token) scores.push_back(scores_[trie.IdOfToken(token)]);
    scores.push_back(*std::min_element(scores_.begin(), scores_.end()));
    if (std::all_of(scores.begin(), scores.end(),
                    [](double score) { return static_cast<double>(static_cast<float>(score)) == score; })) {
      kind->scores = store.Keep(std::vector<float>(scores.begin(), scores.end()));
    } else {
      std::vector<std::uint64_t> exact;
      for (double score : scores) exact.push_back(std::bit_cast<std::uint64_t>(score));
      kind->exact_scores = store.Keep(std::move(exact));
    }
    if (!bytes_.empty()) kind->bytes = store.Keep(bytes_);
    kind->rules = rules_;
    kind->unknown = unknown_id_;
    return std::shared_ptr<text::Kind>(std::move(kind));
  }

 private:
  static constexpr double kUnlikely = 10;    // What the library takes from the lowest score for an unknown character.
  static constexpr double kMostScore = 1e9;  // Sums of larger ones would lose that difference.

  Status ReadPieces(const json::Array& vocabulary, TokenIds& ids) {
    std::size_t nodes = 0;
    scores_.resize(vocabulary.size());
    // Of equal pieces the last counts.
    for (std::size_t id = vocabulary.size(); id-- > 0;) {
      const Json& pair = vocabulary[id];
      if (!pair.is_array() || pair.array().size() != 2 || !pair.array()[0].is_string() ||
          !pair.array()[1].is_number()) {
        return Corrupt("model.vocab[", id, "] is not a pair of piece and score");
      }
      const std::string& piece = pair.array()[0].string();
      const double score = pair.array()[1].number();
      if (!(std::abs(score) <= kMostScore))
        return Unsupported("model.vocab[", id, "] has a score that is no number, or a huge one");
      scores_[id] = score;
      if (id > kMaxId) return Unsupported("model.vocab has more than ", kMaxId, " pieces");
      const bool is_new = ids.Find(piece) == nullptr;
      THIMBLE_RETURN_IF_ERROR(ids.Take(piece, static_cast<std::uint32_t>(id)));
      if (piece.empty() || !is_new) continue;
      if (piece.size() > text::kMaxUnigramPiece) {
        return Unsupported("model.vocab[", id, "] is longer than ", text::kMaxUnigramPiece, " bytes");
      }
      nodes += piece.size();
      pieces_.emplace_back(piece, static_cast<std::uint32_t>(id));
    }
    if (pieces_.empty()) return Corrupt("model.vocab has only the empty piece");
    if (nodes > text::kMaxNodes) return Unsupported("model.vocab has ", nodes, " bytes, at most ", text::kMaxNodes);
    std::sort(pieces_.begin(), pieces_.end());
    return Status();
  }

  Status ReadBytes(const TokenIds& ids) {
    for (unsigned byte = 0; byte < text::kByteTokens; ++byte) {
      char name[8];
      std::snprintf(name, sizeof(name), "<0x%02X>", byte);
      if (const std::uint32_t* id = ids.Find(name)) bytes_.push_back(*id);
    }
    // Without any, unknown characters stay unknown.
    if (bytes_.empty() || bytes_.size() == text::kByteTokens) return Status();
    return Unsupported("model.byte_fallback is true, and the vocabulary has ", bytes_.size(), " of ", text::kByteTokens,
                       " tokens for bytes");
  }

  Status ReadPreTokenizer(const Json& part) {
    std::string type;
    THIMBLE_RETURN_IF_ERROR(ReadString(part, "pre_tokenizer", "type", type));
    if (type == "Sequence") {
      THIMBLE_ASSIGN_OR_RETURN(const Json* members, ReadArray(part, "pre_tokenizer", "pretokenizers"));
      for (const Json& member : members->array()) THIMBLE_RETURN_IF_ERROR(ReadPreTokenizer(member));
      return Status();
    }
    if (rules_.mark != 0) return Unsupported("pre_tokenizer has ", type, " behind Metaspace");
    if (type == "WhitespaceSplit") {
      rules_.splits_at_spaces = 1;
      return Status();
    }
    if (type == "Metaspace") return ReadMetaspace(part);
    return Unsupported("pre_tokenizer.type is \"", type,
                       "\", expected Metaspace, WhitespaceSplit or a Sequence of them");
  }

  Status ReadMetaspace(const Json& part) {
    std::string mark;
    THIMBLE_RETURN_IF_ERROR(ReadString(part, "pre_tokenizer", "replacement", mark));
    const std::uint8_t* next = reinterpret_cast<const std::uint8_t*>(mark.data());
    const std::uint8_t* end = next + mark.size();
    rules_.mark = next == end ? 0 : text::DecodeUtf8(next, end);
    if (rules_.mark == 0 || next != end) return Corrupt("pre_tokenizer.replacement is not one character");
    std::string scheme = "always";
    if (part.FindSet("prepend_scheme") != nullptr) {
      THIMBLE_RETURN_IF_ERROR(ReadString(part, "pre_tokenizer", "prepend_scheme", scheme));
    }
    if (scheme != "always" && scheme != "first" && scheme != "never") {
      return Corrupt("pre_tokenizer.prepend_scheme is \"", scheme, "\", expected \"always\", \"first\" or \"never\"");
    }
    rules_.prepend = scheme == "always"  ? SplitRules::kAlways
                     : scheme == "first" ? SplitRules::kFirst
                                         : SplitRules::kNever;
    // Older files.
    bool adds;
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(part, "pre_tokenizer", "add_prefix_space", true, adds));
    if (!adds && rules_.prepend != SplitRules::kNever) {
      return Corrupt("pre_tokenizer.add_prefix_space is false, and prepend_scheme is \"", scheme, "\"");
    }
    bool splits;
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(part, "pre_tokenizer", "split", true, splits));
    rules_.splits_at_marks = splits ? 1 : 0;
    return Status();
  }

  static std::string Normalize(const text::StepTables& tables, const std::string& content) {
    const text::AddedTables none;
    const text::FirstBytes first;
    text::StepReader reader(tables, text::TextReader(none, first, {}, content));
    std::string normalized;
    for (text::Unit unit = reader.Next(); !unit.is_end(); unit = reader.Next()) {
      std::uint8_t utf8[4];
      normalized.append(reinterpret_cast<const char*>(utf8), text::EncodeUtf8(unit.value, utf8));
    }
    return normalized;
  }

  std::vector<std::pair<std::string, std::uint32_t>> pieces_;  // Distinct, not empty, sorted by bytes.
  std::vector<double> scores_;                                 // By id.
  std::vector<std::uint32_t> bytes_;
  std::uint32_t unknown_id_ = 0;
  StepCompiler normalizer_;
  SplitRules rules_;
};

}  // namespace

std::unique_ptr<KindReader> MakeUnigramReader(const std::string& path) { return std::make_unique<UnigramReader>(path); }

}  // namespace thimble::convert
