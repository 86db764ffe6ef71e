// How each code point is normalised, and the packing of that into blocks.

#include "convert/tokenizer_normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <map>
#include <span>

#include "base/error.h"
#include "text/utf8.h"

namespace thimble::convert {
namespace {

using text::CharClass;
using text::PoolElement;

struct CodePointRange {
  std::uint32_t first;
  std::uint32_t last;
};
struct LowerRange {
  std::uint32_t first;
  std::uint32_t last;
  std::uint32_t lower;
};
#include "convert/unicode_ranges.inc"

constexpr std::uint32_t kCodePoints = 0x110000;
constexpr std::uint32_t kHangulFirst = 0xAC00;
constexpr std::uint32_t kHangulLast = 0xD7A3;
constexpr std::uint32_t kCapitalIWithDot = 0x130;
constexpr std::uint32_t kDotAbove = 0x307;

enum Flag : std::uint8_t {
  kIsDropped = 1,
  kIsSpace = 2,
  kIsPunctuation = 4,
  kIsChinese = 8,
  kIsNonspacing = 16,
  kHasDecomposition = 32,
  kMoves = 64,
};

void Mark(std::vector<std::uint8_t>& flags, std::span<const CodePointRange> ranges, Flag flag) {
  for (const CodePointRange& range : ranges) {
    for (std::uint32_t c = range.first; c <= range.last; ++c) flags[c] = static_cast<std::uint8_t>(flags[c] | flag);
  }
}

std::uint8_t CombiningClass(std::uint32_t code_point) {
  return static_cast<std::uint8_t>(utf8proc_get_property(static_cast<utf8proc_int32_t>(code_point))->combining_class);
}

// The full canonical decomposition.
std::vector<std::uint32_t> Decompose(std::uint32_t code_point) {
  utf8proc_int32_t parts[8] = {};
  utf8proc_ssize_t count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code_point), parts, 8, UTF8PROC_DECOMPOSE, nullptr);
  // Four is the longest there is.
  if (count < 1 || count > 8) return {code_point};
  return {parts, parts + count};
}

std::uint32_t RankOf(std::uint32_t element) { return element >> 24 & 127; }
bool IsBreak(std::uint32_t element) { return (element >> 21 & 7) == static_cast<std::uint32_t>(CharClass::kBreak); }

// Numbers equal blocks of `values` alike: appends each new one to `blocks` and its number to `numbers`.
template <typename T>
void ShareBlocks(std::span<const T> values, std::vector<T>& blocks, std::vector<std::uint16_t>& numbers) {
  std::map<std::vector<T>, std::uint16_t> known;
  for (std::size_t begin = 0; begin < values.size(); begin += text::kNormalizerBlock) {
    std::vector<T> block(values.begin() + static_cast<std::ptrdiff_t>(begin),
                         values.begin() + static_cast<std::ptrdiff_t>(begin + text::kNormalizerBlock));
    auto [it, is_new] = known.try_emplace(block, static_cast<std::uint16_t>(known.size()));
    if (is_new) blocks.insert(blocks.end(), block.begin(), block.end());
    numbers.push_back(it->second);
  }
}

}  // namespace

NormalizerCompiler::NormalizerCompiler(const NormalizerOptions& options) : options_(options), flags_(kCodePoints) {
  Mark(flags_, kDropped, kIsDropped);
  Mark(flags_, kSpace, kIsSpace);
  Mark(flags_, kPunctuation, kIsPunctuation);
  Mark(flags_, kChinese, kIsChinese);
  Mark(flags_, kNonspacing, kIsNonspacing);
  Mark(flags_, kDecomposes, kHasDecomposition);
  Mark(flags_, kMovingMarks, kMoves);
  // Only the order of combining classes matters, so they are numbered to fit seven bits.
  std::array<bool, 256> used{};
  for (const CodePointRange& range : kMovingMarks) {
    for (std::uint32_t c = range.first; c <= range.last; ++c) used[CombiningClass(c)] = true;
  }
  std::uint8_t rank = 0;
  for (std::size_t i = 1; i < used.size(); ++i) {
    if (used[i]) rank_[i] = ++rank;
  }
}

CharClass NormalizerCompiler::ClassOf(std::uint32_t code_point) const {
  if (flags_[code_point] & kIsSpace) return CharClass::kSpace;
  if (flags_[code_point] & kIsPunctuation) return CharClass::kPunctuation;
  return CharClass::kWord;
}

std::uint32_t NormalizerCompiler::Lower(std::uint32_t code_point) const {
  if (code_point > 0x1FFFF) return code_point;  // No script with case lies behind.
  for (const LowerRange& range : kLowerAdditions) {
    if (code_point >= range.first && code_point <= range.last) return range.lower + (code_point - range.first);
  }
  return static_cast<std::uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point)));
}

NormalizerCompiler::Elements NormalizerCompiler::Expand(std::uint32_t code_point) const {
  const std::uint8_t flags = flags_[code_point];
  std::vector<std::uint32_t> characters = {code_point};
  if (options_.clean_text) {
    if (flags & kIsDropped) return {};
    if (flags & kIsSpace) characters = {' '};
  }
  if (options_.strip_accents && (flags & kHasDecomposition)) characters = Decompose(characters[0]);

  Elements elements;
  for (std::uint32_t c : characters) {
    if (options_.strip_accents && (flags_[c] & kIsNonspacing)) {
      // A mark that is removed still keeps those on its two sides apart when it is not itself reordered.
      if (CombiningClass(c) == 0) elements.push_back(PoolElement(0, CharClass::kBreak, 0));
      continue;
    }
    const std::uint32_t rank = options_.strip_accents && (flags_[c] & kMoves) ? rank_[CombiningClass(c)] : 0;
    if (options_.lowercase && c == kCapitalIWithDot) {
      elements.push_back(PoolElement('i', CharClass::kWord, 0));
      elements.push_back(PoolElement(kDotAbove, CharClass::kWord, 0));
      continue;
    }
    const std::uint32_t lower = options_.lowercase ? Lower(c) : c;
    elements.push_back(PoolElement(lower, ClassOf(lower), rank));
  }
  // A character that is not reordered keeps marks apart by itself.
  for (std::size_t i = 0; i < elements.size();) {
    const bool next_stays = i + 1 < elements.size() && RankOf(elements[i + 1]) == 0;
    const bool previous_stays = i > 0 && RankOf(elements[i - 1]) == 0;
    if (IsBreak(elements[i]) && (next_stays || previous_stays)) {
      elements.erase(elements.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }

  if (options_.handle_chinese_chars && (flags & kIsChinese)) {
    if (elements.size() == 1 && elements[0] >> 21 == 0) {
      elements[0] = PoolElement(elements[0], CharClass::kSpaced, 0);
    } else {
      elements.insert(elements.begin(), PoolElement(' ', CharClass::kSpace, 0));
      elements.push_back(PoolElement(' ', CharClass::kSpace, 0));
    }
  }
  return elements;
}

Status NormalizerCompiler::Compile(text::OwnedTables& tables) const {
  std::vector<std::uint16_t> entries(kCodePoints);
  std::map<Elements, std::size_t> replacements;
  for (std::uint32_t c = 0; c < kCodePoints; ++c) {
    if (options_.strip_accents && c >= kHangulFirst && c <= kHangulLast) {
      entries[c] = text::kEntryHangul;
      continue;
    }
    if (flags_[c] == 0 && (!options_.lowercase || Lower(c) == c)) continue;  // Entry 0: a character of a word.
    Elements elements = Expand(c);
    if (elements.empty()) {
      entries[c] = text::kEntryDrop;
    } else if (elements.size() == 1 && (IsBreak(elements[0]) || (elements[0] & 0x1FFFFF) == c) &&
               RankOf(elements[0]) == 0) {
      entries[c] = static_cast<std::uint16_t>(elements[0] >> 21 & 7);
    } else {
      elements.back() |= text::kLastElement;
      auto [it, is_new] = replacements.try_emplace(elements, tables.normalizer_pool.size());
      if (is_new) {
        tables.normalizer_pool.insert(tables.normalizer_pool.end(), elements.begin(), elements.end());
      }
      if (it->second + text::kEntryReplacement > 0xFFFF) {
        return Error(Code::kUnsupported, "the normaliser has too many replacements");
      }
      entries[c] = static_cast<std::uint16_t>(it->second + text::kEntryReplacement);
    }
  }
  std::vector<std::uint16_t> leaves;
  ShareBlocks<std::uint16_t>(entries, tables.normalizer_entries, leaves);
  std::vector<std::uint16_t> blocks;
  ShareBlocks<std::uint16_t>(leaves, tables.normalizer_middle, blocks);
  for (std::uint16_t block : blocks) {
    if (block > 0xFF) return Error(Code::kUnsupported, "the normaliser has too many blocks");
    tables.normalizer_blocks.push_back(static_cast<std::uint8_t>(block));
  }
  return Status();
}

Result<std::string> NormalizerCompiler::Normalize(std::string_view content) const {
  std::string normalized;
  auto append = [&normalized](std::uint32_t code_point) {
    std::uint8_t utf8[4];
    normalized.append(reinterpret_cast<const char*>(utf8), text::EncodeUtf8(code_point, utf8));
  };
  const std::uint8_t* next = reinterpret_cast<const std::uint8_t*>(content.data());
  const std::uint8_t* end = next + content.size();
  while (next != end) {
    for (std::uint32_t element : Expand(text::DecodeUtf8(next, end))) {
      if (RankOf(element) != 0) return Error(Code::kUnsupported, "has a combining mark");
      if (IsBreak(element)) continue;
      const bool spaced = (element >> 21 & 7) == static_cast<std::uint32_t>(CharClass::kSpaced);
      if (spaced) append(' ');
      append(element & 0x1FFFFF);
      if (spaced) append(' ');
    }
  }
  return normalized;
}

bool NormalizerCompiler::HasSpaceAtEdge(std::string_view text) const {
  const std::uint8_t* next = reinterpret_cast<const std::uint8_t*>(text.data());
  const std::uint8_t* begin = next;
  const std::uint8_t* end = next + text.size();
  while (next != end) {
    const bool at_start = next == begin;
    const bool space = (flags_[text::DecodeUtf8(next, end)] & kIsSpace) != 0;
    if (space && (at_start || next == end)) return true;
  }
  return false;
}

}  // namespace thimble::convert
