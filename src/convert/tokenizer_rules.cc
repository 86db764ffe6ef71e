// Reads normalisers and pre-tokenizers, members of a Sequence in their order.

#include <string_view>
#include <utility>

#include "convert/tokenizer_kind.h"
#include "convert/tokenizer_normalizer.h"
#include "text/utf8.h"

namespace thimble::convert {
namespace {

using Json = json::Value;
using Kind = NormalizerStep::Kind;

class RulesReader : PartReader {
 public:
  explicit RulesReader(const std::string& path) : PartReader(path) {}

  Result<TokenizerRules> Read(const Json& root) {
    if (const Json* normalizer = root.FindSet("normalizer")) THIMBLE_RETURN_IF_ERROR(ReadNormalizer(*normalizer));
    if (composed_) {
      return Unsupported("normalizer leaves the text composed (NFC or NFKC), which is supported only before NFD, NFKD ",
                         "or a BertNormalizer that strips accents");
    }
    if (rules_.trims && replaces_) return Unsupported("normalizer has both Strip and Replace");
    const Json* pre_tokenizer = root.FindSet("pre_tokenizer");
    if (pre_tokenizer != nullptr) THIMBLE_RETURN_IF_ERROR(ReadPreTokenizer(*pre_tokenizer));
    if (!splits_at_spaces_) return Unsupported("pre_tokenizer does not split at spaces, expected \"BertPreTokenizer\"");
    return std::move(rules_);
  }

 private:
  Status ReadNormalizer(const Json& part) {
    std::string type;
    THIMBLE_RETURN_IF_ERROR(ReadString(part, "normalizer", "type", type));
    if (type == "Sequence") {
      THIMBLE_ASSIGN_OR_RETURN(const Json* members, ReadArray(part, "normalizer", "normalizers"));
      for (const Json& member : members->array()) THIMBLE_RETURN_IF_ERROR(ReadNormalizer(member));
      return Status();
    }
    if (type == "BertNormalizer") return ReadBert(part);
    if (type == "Replace") return ReadReplace(part);
    if (type == "NFD" || type == "NFC") return Decompose(Kind::kDecompose, type == "NFC");
    if (type == "NFKD" || type == "NFKC") return Decompose(Kind::kDecomposeCompatibly, type == "NFKC");
    if (type == "Lowercase") {
      Add(Kind::kLowercase);
    } else if (type == "StripAccents") {
      if (composed_) return Unsupported("normalizer has StripAccents behind NFC or NFKC");
      Add(Kind::kDropMarks);
    } else if (type == "Strip") {
      // Spaces only part words, so those at the ends are nothing whether they are removed or not.
      rules_.trims = true;
    } else {
      return Unsupported("normalizer.type is \"", type,
                         "\", expected BertNormalizer, Lowercase, StripAccents, NFC, NFD, NFKC, NFKD, Replace, Strip ",
                         "or a Sequence of them");
    }
    return Status();
  }

  Status ReadBert(const Json& part) {
    bool clean, chinese, lowercase, strip;
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(part, "normalizer", "clean_text", true, clean));
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(part, "normalizer", "handle_chinese_chars", true, chinese));
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(part, "normalizer", "lowercase", true, lowercase));
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(part, "normalizer", "strip_accents", lowercase, strip));
    if (clean) Add(Kind::kCleanText);
    if (chinese) Add(Kind::kSpaceChinese);
    if (strip) {
      THIMBLE_RETURN_IF_ERROR(Decompose(Kind::kDecompose, false));
      Add(Kind::kDropNonspacing);
    }
    if (lowercase) Add(Kind::kLowercase);
    return Status();
  }

  // Composition is exact where a decomposition follows, which undoes it: what may stand between commutes with it.
  Status Decompose(Kind kind, bool composed) {
    if (replaced_in_order_) return Unsupported("normalizer has Replace between two decompositions");
    composed_ = composed;
    ordered_ = true;
    Add(kind);
    return Status();
  }

  Status ReadReplace(const Json& part) {
    const Json* pattern = part.FindSet("pattern");
    const Json* from = pattern == nullptr ? nullptr : pattern->FindSet("String");
    const Json* to = part.FindSet("content");
    if (pattern == nullptr || to == nullptr || !to->is_string()) return Corrupt("normalizer: Replace is malformed");
    if (from == nullptr || !from->is_string()) return Unsupported("normalizer replaces a regular expression");
    if (composed_) return Unsupported("normalizer has Replace behind NFC or NFKC");
    const std::vector<std::uint32_t> characters = Characters(from->string());
    if (characters.size() != 1) {
      return Unsupported("normalizer replaces \"", from->string(), "\", only one character is supported");
    }
    rules_.steps.push_back({Kind::kReplace, characters[0], Characters(to->string())});
    replaces_ = true;
    replaced_in_order_ = ordered_;
    return Status();
  }

  static std::vector<std::uint32_t> Characters(std::string_view text) {
    std::vector<std::uint32_t> characters;
    const std::uint8_t* next = reinterpret_cast<const std::uint8_t*>(text.data());
    const std::uint8_t* end = next + text.size();
    while (next != end) characters.push_back(text::DecodeUtf8(next, end));
    return characters;
  }

  void Add(Kind kind) { rules_.steps.push_back({kind, 0, {}}); }

  Status ReadPreTokenizer(const Json& part) {
    std::string type;
    THIMBLE_RETURN_IF_ERROR(ReadString(part, "pre_tokenizer", "type", type));
    if (type == "Sequence") {
      THIMBLE_ASSIGN_OR_RETURN(const Json* members, ReadArray(part, "pre_tokenizer", "pretokenizers"));
      for (const Json& member : members->array()) THIMBLE_RETURN_IF_ERROR(ReadPreTokenizer(member));
      return Status();
    }
    const bool spaces = type == "WhitespaceSplit", punctuation = type == "Punctuation";
    if (!spaces && !punctuation && type != "BertPreTokenizer") {
      return Unsupported("pre_tokenizer.type is \"", type,
                         "\", expected BertPreTokenizer, WhitespaceSplit, Punctuation or a Sequence of them");
    }
    const Json* behavior = part.FindSet("behavior");
    if (punctuation && behavior != nullptr && !behavior->Is("Isolated")) {
      return Unsupported("pre_tokenizer.behavior of Punctuation is not \"Isolated\"");
    }
    splits_at_spaces_ |= !punctuation;
    rules_.isolates_punctuation |= !spaces;
    return Status();
  }

  TokenizerRules rules_;
  bool composed_ = false;           // By NFC or NFKC, and nothing has decomposed it since.
  bool ordered_ = false;            // Marks have been put in canonical order.
  bool replaces_ = false;           // There is a Replace,
  bool replaced_in_order_ = false;  // and one behind an ordering.
  bool splits_at_spaces_ = false;
};

}  // namespace

Result<TokenizerRules> ReadRules(const Json& root, const std::string& path) { return RulesReader(path).Read(root); }

}  // namespace thimble::convert
