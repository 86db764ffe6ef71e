// Byte-level BPE: which rules can ever apply, and in which order, from vocabulary and merges.

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "convert/table_store.h"
#include "convert/tokenizer_kind.h"
#include "convert/tokenizer_normalizer.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/utf8.h"

namespace thimble::convert {
namespace {

using Json = json::Value;
using text::Bpe;

constexpr std::uint32_t kMinSlotBits = 6;

// The bytes that an entry of the vocabulary stands for; none where one of its characters stands for none.
std::optional<std::string> BytesOfEntry(std::string_view entry) {
  std::string bytes;
  const auto* next = reinterpret_cast<const std::uint8_t*>(entry.data());
  for (const std::uint8_t* end = next + entry.size(); next != end;) {
    const std::optional<std::uint8_t> byte = text::ByteOfCharacter(text::DecodeUtf8(next, end));
    if (!byte) return std::nullopt;
    bytes += static_cast<char>(*byte);
  }
  return bytes;
}

// Joins two ids; a lower rank comes first.
struct Rule {
  std::uint32_t left = 0, right = 0, result = 0, rank = 0;
};

constexpr std::uint64_t KeyOf(std::uint32_t left, std::uint32_t right) { return std::uint64_t{left} << 32 | right; }

class BpeReader final : public EntriesReader {
 public:
  using EntriesReader::EntriesReader;

  Status ReadModel(const Json& model, TokenIds& ids) override {
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const Json* affix = model.FindSet(key);
      if (affix != nullptr && !affix->Is("")) return Unsupported("model.", key, " is ", affix->Text());
    }
    const Json* dropout = model.FindSet("dropout");
    if (dropout != nullptr && !(dropout->is_number() && dropout->number() == 0)) {
      return Unsupported("model.dropout is ", dropout->Text(), ", by which a text has other tokens each time");
    }
    bool fallback = false;
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(model, "model", "byte_fallback", false, fallback));
    if (fallback) return Unsupported("model.byte_fallback is true, which is not supported");
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(model, "model", "ignore_merges", false, whole_words_));
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(model, "model", "fuse_unk", false, joins_unknown_));
    THIMBLE_RETURN_IF_ERROR(ReadVocabulary(model.Find("vocab")->object(), ids));
    if (model.FindSet("unk_token") != nullptr) {
      std::string unknown;
      THIMBLE_RETURN_IF_ERROR(ReadString(model, "model", "unk_token", unknown));
      const std::uint32_t* id = ids.Find(unknown);
      if (id == nullptr) return Corrupt("model.unk_token \"", unknown, "\" is not in the vocabulary");
      unknown_id_ = *id;
    }
    THIMBLE_RETURN_IF_ERROR(ReadMerges(model, ids));
    return OrderRules();
  }

  Status ReadRules(const Json& root) override {
    const Json* normalizer = root.FindSet("normalizer");
    if (normalizer != nullptr) {
      const Json *type = normalizer->Find("type"), *members = normalizer->Find("normalizers");
      if (type == nullptr || !type->Is("Sequence") || members == nullptr || !members->empty()) {
        return Unsupported("normalizer is ", type == nullptr ? "of no type" : type->Text(),
                           ", a BPE is supported only without one");
      }
    }
    const Json* splitter = root.FindSet("pre_tokenizer");
    if (splitter != nullptr && splitter->Find("pretokenizers") != nullptr) {
      THIMBLE_ASSIGN_OR_RETURN(const Json* members, ReadArray(*splitter, "pre_tokenizer", "pretokenizers"));
      if (members->array().size() != 1) {
        return Unsupported("pre_tokenizer is a Sequence of ", members->array().size(),
                           ", a BPE is supported only with one \"ByteLevel\"");
      }
      splitter = &members->array()[0];
    }
    if (splitter == nullptr) return Unsupported("pre_tokenizer is null, a BPE is supported only with \"ByteLevel\"");
    std::string type;
    THIMBLE_RETURN_IF_ERROR(ReadString(*splitter, "pre_tokenizer", "type", type));
    if (type != "ByteLevel") {
      return Unsupported("pre_tokenizer.type is \"", type, "\", a BPE is supported only with \"ByteLevel\"");
    }
    bool splits = true;
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(*splitter, "pre_tokenizer", "add_prefix_space", true, prefix_space_));
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(*splitter, "pre_tokenizer", "use_regex", true, splits));
    if (!splits) return Unsupported("pre_tokenizer.use_regex is false, which is not supported");
    const Json* processor = root.FindSet("post_processor");
    if (processor == nullptr) return Status();
    const Json* members = processor->Find("processors");
    if (members == nullptr || !members->is_array()) return ReadTrim(*processor);
    for (const Json& member : members->array()) THIMBLE_RETURN_IF_ERROR(ReadTrim(member));
    return Status();
  }

  bool keeps_spaces() const override { return true; }
  bool normalizes() const override { return false; }

  Result<std::vector<std::string>> AddedTexts(std::span<const AddedToken> tokens) override {
    const bool strips = std::any_of(tokens.begin(), tokens.end(),
                                    [](const AddedToken& token) { return token.strips_left || token.strips_right; });
    std::vector<std::string> texts;
    for (const AddedToken& token : tokens) {
      if (strips && HasSpaceAtEdge(token.content)) {
        return Unsupported("added token \"", token.content, "\" has a space at its edge, and another one has lstrip ",
                           "or rstrip");
      }
      texts.push_back(token.content);
    }
    // The library looks for normalised tokens in what the others leave; here all are looked for at once.
    for (const AddedToken& token : tokens) {
      if (!token.normalized) continue;
      for (const AddedToken& other : tokens) {
        if (other.normalized || !Overlap(token.content, other.content)) continue;
        return Unsupported("added tokens \"", token.content, "\" and \"", other.content,
                           "\" can overlap, and only one of them is normalized");
      }
    }
    return texts;
  }

  Result<std::shared_ptr<text::Kind>> Compile(TableStore& store) const override {
    auto kind = std::make_shared<Bpe>();
    std::vector<std::uint32_t> ids;                            // Of symbols.
    std::unordered_map<std::uint32_t, std::uint32_t> symbols;  // Of ids.
    std::vector<std::uint16_t> bytes(256, Bpe::kNoByte);
    const auto add = [&](std::uint32_t id) {
      symbols.emplace(id, static_cast<std::uint32_t>(ids.size()));
      ids.push_back(id);
    };
    for (std::size_t byte = 0; byte < bytes.size(); ++byte) {
      const auto found = entries_.find(std::string(1, static_cast<char>(byte)));
      if (found == entries_.end()) continue;
      bytes[byte] = static_cast<std::uint16_t>(ids.size());
      add(found->second);
    }
    kind->num_bytes = static_cast<std::uint32_t>(ids.size());
    std::vector<std::uint32_t> parts;
    for (const Rule& rule : rules_) {
      parts.push_back(symbols.at(rule.left));
      parts.push_back(symbols.at(rule.right));
      add(rule.result);
    }
    kind->rules = static_cast<std::uint32_t>(rules_.size());
    std::vector<std::pair<std::string, std::uint32_t>> pieces;
    std::size_t nodes = 0;
    for (const auto& [entry, id] : entries_) {
      if (!symbols.contains(id)) add(id);
      pieces.emplace_back(entry, symbols.at(id));
      nodes += entry.size();
    }
    if (nodes > text::kMaxNodes) return Unsupported("model.vocab has ", nodes, " bytes, at most ", text::kMaxNodes);
    kind->symbols = static_cast<std::uint32_t>(ids.size());
    kind->trie = BuildTrie(pieces, store);
    kind->wide = *std::max_element(ids.begin(), ids.end()) > 0xFFFF || ids.size() > 0xFFFF ? 1u : 0u;

    kind->slot_bits = kMinSlotBits;
    while ((1u << kind->slot_bits) < 2 * kind->rules + 2) ++kind->slot_bits;
    std::vector<std::uint32_t> slots(std::size_t{1} << kind->slot_bits);
    for (std::uint32_t rule = 0; rule < kind->rules; ++rule) {
      std::size_t slot = text::SlotOfParts(parts[2 * rule], parts[2 * rule + 1], kind->slot_bits);
      while (slots[slot] != 0) slot = (slot + 1) % slots.size();
      slots[slot] = rule + 1;
    }
    const auto keep = [&](const std::vector<std::uint32_t>& values, auto& low, auto& high) {
      std::vector<std::uint16_t> lows;
      std::vector<std::uint8_t> highs;
      for (std::uint32_t value : values) {
        lows.push_back(static_cast<std::uint16_t>(value & 0xFFFF));
        if (kind->wide != 0) highs.push_back(static_cast<std::uint8_t>(value >> 16));
      }
      low = store.Keep(std::move(lows));
      high = store.Keep(std::move(highs));
    };
    keep(ids, kind->ids, kind->ids_high);
    keep(parts, kind->parts, kind->parts_high);
    keep(slots, kind->slots, kind->slots_high);
    kind->bytes = store.Keep(std::move(bytes));
    THIMBLE_RETURN_IF_ERROR(CompileClasses(*kind, store));
    kind->split = static_cast<std::uint32_t>(text::Split::kGpt2);
    kind->prefix_space = prefix_space_ ? 1 : 0;
    kind->trims = trims_;
    kind->whole_words = whole_words_ ? 1 : 0;
    kind->unknown = unknown_id_ ? *unknown_id_ + 1 : 0;
    kind->joins_unknown = joins_unknown_ ? 1 : 0;
    return std::shared_ptr<text::Kind>(std::move(kind));
  }

 private:
  static bool HasSpaceAtEdge(std::string_view text) {
    const auto* next = reinterpret_cast<const std::uint8_t*>(text.data());
    const std::uint8_t *begin = next, *end = next + text.size();
    while (next != end) {
      const bool at_start = next == begin;
      if (IsWhiteSpace(text::DecodeUtf8(next, end)) && (at_start || next == end)) return true;
    }
    return false;
  }

  // Whether a text can have both with bytes in common.
  static bool Overlap(std::string_view a, std::string_view b) {
    if (a.find(b) != std::string_view::npos || b.find(a) != std::string_view::npos) return true;
    for (std::size_t i = 1; i < std::min(a.size(), b.size()); ++i) {
      if (a.ends_with(b.substr(0, i)) || b.ends_with(a.substr(0, i))) return true;
    }
    return false;
  }

  Status ReadTrim(const Json& processor) {
    const Json* type = processor.Find("type");
    if (type == nullptr || (!type->Is("RobertaProcessing") && !type->Is("ByteLevel"))) return Status();
    bool trims = true, prefix = true;
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(processor, "post_processor", "trim_offsets", true, trims));
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(processor, "post_processor", "add_prefix_space", true, prefix));
    if (trims) trims_ = prefix ? Bpe::kTrimBehindPrefix : Bpe::kTrimSpaces;
    return Status();
  }

  Status ReadVocabulary(const json::Object& vocabulary, TokenIds& ids) {
    for (const auto& [entry, value] : vocabulary) {
      std::uint32_t id = 0;
      THIMBLE_RETURN_IF_ERROR(ReadId(value, "the id of \"" + entry + "\" in model.vocab", id));
      THIMBLE_RETURN_IF_ERROR(ids.Take(entry, id));
      std::optional<std::string> bytes = BytesOfEntry(entry);
      // No text has tokens with other characters, unless they are added tokens.
      if (!bytes || bytes->empty()) continue;
      if (bytes->size() > text::kMaxPieceBytes) {
        return Unsupported("model.vocab has an entry longer than ", text::kMaxPieceBytes, " bytes");
      }
      if (whole_words_ && bytes->size() > text::kMaxWordChars) {
        return Unsupported("model.ignore_merges is true, and model.vocab has an entry longer than ",
                           text::kMaxWordChars, " bytes");
      }
      entries_.emplace(std::move(*bytes), id);
    }
    if (entries_.empty()) return Corrupt("model.vocab has no entry in the alphabet of ByteLevel");
    return Status();
  }

  // "a b", or ["a", "b"].
  Status ReadMerges(const Json& model, const TokenIds& ids) {
    THIMBLE_ASSIGN_OR_RETURN(const Json* merges, ReadArray(model, "model", "merges"));
    for (std::size_t i = 0; i < merges->array().size(); ++i) {
      const Json& merge = merges->array()[i];
      std::string left, right;
      if (merge.is_string()) {
        const std::string& text = merge.string();
        if (text.starts_with("#version")) continue;
        const std::size_t space = text.find(' ');
        if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
          return Corrupt("model.merges[", i, "] is not two parts with a space between them");
        }
        left = text.substr(0, space);
        right = text.substr(space + 1);
      } else {
        if (!merge.is_array() || merge.array().size() != 2 || !merge.array()[0].is_string() ||
            !merge.array()[1].is_string()) {
          return Corrupt("model.merges[", i, "] is not a pair of strings");
        }
        left = merge.array()[0].string();
        right = merge.array()[1].string();
      }
      Rule rule = {.rank = static_cast<std::uint32_t>(i)};
      const std::string result = left + right;
      const std::pair<const std::string&, std::uint32_t&> parts[] = {
          {left, rule.left}, {right, rule.right}, {result, rule.result}};
      for (const auto& [part, id] : parts) {
        const std::uint32_t* found = ids.Find(part);
        if (found == nullptr) return Corrupt("model.merges[", i, "]: \"", part, "\" is not in model.vocab");
        if (unknown_id_ == *found) return Unsupported("model.merges[", i, "] has the unknown token");
        id = *found;
      }
      merges_[KeyOf(rule.left, rule.right)] = rule;
    }
    return Status();
  }

  // The join that makes the whole of `bytes`; none where the rules leave several symbols, or one of a byte.
  std::optional<Rule> LastJoin(std::string_view bytes) const {
    std::vector<std::uint32_t> ids;
    for (char byte : bytes) {
      const auto found = entries_.find(std::string_view(&byte, 1));
      if (found == entries_.end()) return std::nullopt;
      ids.push_back(found->second);
    }
    std::optional<Rule> last;
    for (;;) {
      const Rule* next = nullptr;
      std::size_t at = 0;
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        const auto found = merges_.find(KeyOf(ids[i], ids[i + 1]));
        if (found == merges_.end() || (next != nullptr && found->second.rank >= next->rank)) continue;
        next = &found->second;
        at = i;
      }
      if (next == nullptr) return ids.size() == 1 ? last : std::nullopt;
      last = *next;
      ids[at] = next->result;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at + 1));
    }
  }

  // Keeps the rules that make an entry of its own bytes, as only these apply in any text, in the order in which they
  // apply.
  Status OrderRules() {
    std::unordered_map<std::uint32_t, std::string_view> bytes_of;
    for (const auto& [bytes, id] : entries_) bytes_of.emplace(id, bytes);
    std::unordered_map<std::uint32_t, std::uint32_t> ranks;  // Of results.
    for (const auto& [key, merge] : merges_) {
      const auto bytes = bytes_of.find(merge.result);
      if (bytes == bytes_of.end() || ranks.contains(merge.result)) continue;
      if (bytes->second.size() > Bpe::kMaxBytes) {
        return Unsupported("model.merges make an entry of ", bytes->second.size(), " bytes, at most ", Bpe::kMaxBytes,
                           " are supported");
      }
      const std::optional<Rule> last = LastJoin(bytes->second);
      if (!last) continue;
      ranks.emplace(merge.result, last->rank);
      rules_.push_back(*last);
    }
    std::sort(rules_.begin(), rules_.end(), [](const Rule& a, const Rule& b) { return a.rank < b.rank; });
    for (const Rule& rule : rules_) {
      for (std::uint32_t part : {rule.left, rule.right}) {
        const auto rank = ranks.find(part);
        if (rank == ranks.end() || rank->second < rule.rank) continue;
        return Unsupported("model.merges[", rule.rank, "] joins \"", bytes_of.at(part), "\", which only merge ",
                           rank->second, " makes; they must be in the order in which they were learned");
      }
    }
    return Status();
  }

  Status CompileClasses(Bpe& kind, TableStore& store) const {
    const std::vector<text::SplitClass> classes = SplitClasses();
    std::map<std::vector<std::uint8_t>, std::uint8_t> known;
    std::vector<std::uint8_t> blocks, packed;
    for (std::size_t begin = 0; begin < classes.size(); begin += text::kSplitBlock) {
      std::vector<std::uint8_t> block(text::kSplitBlock / 4);
      for (std::size_t i = 0; i < text::kSplitBlock; ++i) {
        const unsigned value = static_cast<unsigned>(classes[begin + i]) << i % 4 * 2;
        block[i / 4] = static_cast<std::uint8_t>(block[i / 4] | value);
      }
      const auto [it, is_new] = known.try_emplace(block, static_cast<std::uint8_t>(known.size()));
      if (is_new) packed.insert(packed.end(), block.begin(), block.end());
      if (known.size() > 256) return Unsupported("the classes of characters have too many blocks");
      blocks.push_back(it->second);
    }
    kind.class_blocks = store.Keep(std::move(blocks));
    kind.classes = store.Keep(std::move(packed));
    return Status();
  }

  std::map<std::string, std::uint32_t, std::less<>> entries_;  // Ids by bytes.
  std::unordered_map<std::uint64_t, Rule> merges_;
  std::vector<Rule> rules_;
  std::optional<std::uint32_t> unknown_id_;
  bool joins_unknown_ = false;
  bool whole_words_ = false;
  bool prefix_space_ = false;
  std::uint32_t trims_ = Bpe::kKeepSpaces;
};

}  // namespace

std::unique_ptr<KindReader> MakeBpeReader(const std::string& path) { return std::make_unique<BpeReader>(path); }

}  // namespace thimble::convert
