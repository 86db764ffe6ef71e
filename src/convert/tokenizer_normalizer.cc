// How each code point is normalised, and the packing of that into blocks.

#include "convert/tokenizer_normalizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <span>
#include <utility>

#include "base/error.h"
#include "text/utf8.h"

namespace thimble::convert {
namespace {

using text::CharClass;
using text::PoolElement;
using Kind = NormalizerStep::Kind;

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

enum Flag : std::uint16_t {
  kIsDropped = 1,
  kIsSpace = 2,
  kIsPunctuation = 4,
  kIsChinese = 8,
  kIsNonspacing = 16,
  kHasDecomposition = 32,
  kIsCombining = 64,
  kIsCompatible = 128,
  kIsMark = 256,
};

void Mark(std::vector<std::uint16_t>& flags, std::span<const CodePointRange> ranges, Flag flag) {
  for (const CodePointRange& range : ranges) {
    for (std::uint32_t c = range.first; c <= range.last; ++c) flags[c] = static_cast<std::uint16_t>(flags[c] | flag);
  }
}

std::uint8_t CombiningClass(std::uint32_t code_point) {
  return static_cast<std::uint8_t>(utf8proc_get_property(static_cast<utf8proc_int32_t>(code_point))->combining_class);
}

// The full canonical decomposition, or with UTF8PROC_COMPAT the compatibility decomposition.
std::vector<std::uint32_t> Decompose(std::uint32_t code_point, int options) {
  constexpr int kLongest = 32;  // 18 is the longest there is.
  utf8proc_int32_t parts[kLongest] = {};
  utf8proc_ssize_t count =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code_point), parts, kLongest,
                              static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | options), nullptr);
  if (count < 1 || count > kLongest) return {code_point};
  return {parts, parts + count};
}

std::uint32_t RankOf(std::uint32_t element) { return element >> 24 & 127; }
bool IsBreak(std::uint32_t element) { return (element >> 21 & 7) == static_cast<std::uint32_t>(CharClass::kBreak); }

}  // namespace

bool IsWhiteSpace(std::uint32_t code_point) {
  return std::any_of(std::begin(kSpace), std::end(kSpace), [code_point](const CodePointRange& range) {
    return code_point >= range.first && code_point <= range.last;
  });
}

std::vector<std::uint32_t> WordCharBounds() {
  std::vector<std::uint32_t> bounds;
  for (const CodePointRange& range : kWordChars) {
    bounds.push_back(range.first);
    bounds.push_back(range.last + 1);
  }
  return bounds;
}

std::vector<CompositionPair> CompositionPairs() {
  std::vector<CompositionPair> pairs;
  const auto compose = [](std::span<const std::uint32_t> parts) -> std::uint32_t {
    std::vector<utf8proc_int32_t> buffer(parts.begin(), parts.end());
    const utf8proc_ssize_t count =
        utf8proc_normalize_utf32(buffer.data(), static_cast<utf8proc_ssize_t>(buffer.size()),
                                 static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    return count == 1 ? static_cast<std::uint32_t>(buffer[0]) : 0;
  };
  for (const CodePointRange& range : kDecomposes) {
    for (std::uint32_t c = range.first; c <= range.last; ++c) {
      const std::vector<std::uint32_t> parts = Decompose(c, 0);
      if (parts.size() < 2 || (c >= kHangulFirst && c <= kHangulLast)) continue;
      const std::uint32_t first = compose(std::span(parts).first(parts.size() - 1));
      const std::uint32_t both[] = {first, parts.back()};
      if (first != 0 && compose(both) == c) pairs.push_back({first, parts.back(), c});
    }
  }
  return pairs;
}

std::vector<text::SplitClass> SplitClasses() {
  std::vector<text::SplitClass> classes(kCodePoints, text::SplitClass::kOther);
  const auto mark = [&classes](std::span<const CodePointRange> ranges, text::SplitClass value) {
    for (const CodePointRange& range : ranges) {
      for (std::uint32_t c = range.first; c <= range.last; ++c) classes[c] = value;
    }
  };
  mark(kLetters, text::SplitClass::kLetter);
  mark(kNumbers, text::SplitClass::kNumber);
  mark(kSpace, text::SplitClass::kSpace);
  return classes;
}

NormalizerCompiler::NormalizerCompiler(const TokenizerRules& rules) : rules_(rules), flags_(kCodePoints) {
  Mark(flags_, kDropped, kIsDropped);
  Mark(flags_, kSpace, kIsSpace);
  Mark(flags_, kPunctuation, kIsPunctuation);
  Mark(flags_, kChinese, kIsChinese);
  Mark(flags_, kNonspacing, kIsNonspacing);
  Mark(flags_, kDecomposes, kHasDecomposition);
  Mark(flags_, kCombining, kIsCombining);
  Mark(flags_, kCompatible, kIsCompatible);
  Mark(flags_, kMarks, kIsMark);
  // Only the order of combining classes matters, so those that survive are numbered to fit seven bits.
  std::array<bool, 256> used{};
  bool strips = false;  // Behind the last ordering.
  for (const NormalizerStep& step : rules_.steps) {
    if (step.kind == Kind::kDropNonspacing) strips = true;
    if (step.kind == Kind::kDecompose || step.kind == Kind::kDecomposeCompatibly) strips = false;
  }
  for (const CodePointRange& range : strips ? std::span<const CodePointRange>(kMovingMarks) : kCombining) {
    for (std::uint32_t c = range.first; c <= range.last; ++c) used[CombiningClass(c)] = true;
  }
  std::uint8_t rank = 0;
  for (std::size_t i = 1; i < used.size(); ++i) {
    if (used[i]) rank_[i] = ++rank;
  }
}

bool NormalizerCompiler::Has(Kind kind) const {
  return std::any_of(rules_.steps.begin(), rules_.steps.end(),
                     [kind](const NormalizerStep& step) { return step.kind == kind; });
}

bool NormalizerCompiler::Decomposes() const { return Has(Kind::kDecompose) || Has(Kind::kDecomposeCompatibly); }

CharClass NormalizerCompiler::ClassOf(std::uint32_t code_point) const {
  if (flags_[code_point] & kIsSpace) return CharClass::kSpace;
  if (rules_.isolates_punctuation && (flags_[code_point] & kIsPunctuation)) return CharClass::kPunctuation;
  return CharClass::kWord;
}

std::uint32_t NormalizerCompiler::Lower(std::uint32_t code_point) const {
  if (code_point > 0x1FFFF) return code_point;  // No script with case lies behind.
  for (const LowerRange& range : kLowerAdditions) {
    if (code_point >= range.first && code_point <= range.last) return range.lower + (code_point - range.first);
  }
  return static_cast<std::uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point)));
}

bool NormalizerCompiler::Changes(std::uint32_t code_point) const {
  if (flags_[code_point] != 0) return true;
  return std::any_of(rules_.steps.begin(), rules_.steps.end(), [&](const NormalizerStep& step) {
    if (step.kind == Kind::kLowercase) return Lower(code_point) != code_point;
    return step.kind == Kind::kReplace && step.from == code_point;
  });
}

// Appends to `parts` what `step` makes of `part`; `ordered` says whether marks were ordered before.
void NormalizerCompiler::Apply(const NormalizerStep& step, bool ordered, const Part& part,
                               std::vector<Part>& parts) const {
  const std::uint32_t c = part.value;
  const std::uint16_t flags = flags_[c];
  bool drops = false;
  switch (step.kind) {
    case Kind::kCleanText:
      drops = (flags & kIsDropped) != 0;
      if (!drops) parts.push_back((flags & kIsSpace) != 0 ? Part{' '} : part);
      break;
    case Kind::kSpaceChinese:
      if ((flags & kIsChinese) != 0) {
        parts.insert(parts.end(), {Part{' '}, part, Part{' '}});
      } else {
        parts.push_back(part);
      }
      break;
    case Kind::kDecompose:
    case Kind::kDecomposeCompatibly: {
      const bool compatibly = step.kind == Kind::kDecomposeCompatibly && (flags & kIsCompatible) != 0;
      std::vector<std::uint32_t> characters = {c};
      if (compatibly || (flags & kHasDecomposition) != 0) characters = Decompose(c, compatibly ? UTF8PROC_COMPAT : 0);
      for (std::uint32_t character : characters) {
        const bool combining = (flags_[character] & kIsCombining) != 0;
        parts.push_back({character, combining ? CombiningClass(character) : std::uint8_t{0}});
      }
      break;
    }
    case Kind::kDropNonspacing:
    case Kind::kDropMarks:
      drops = (flags & (step.kind == Kind::kDropMarks ? kIsMark : kIsNonspacing)) != 0;
      if (!drops) parts.push_back(part);
      break;
    case Kind::kLowercase:
      if (c == kCapitalIWithDot) {
        parts.insert(parts.end(), {Part{'i'}, Part{kDotAbove}});
      } else {
        parts.push_back({Lower(c), part.combining_class});
      }
      break;
    case Kind::kReplace:
      drops = c == step.from && step.to.empty();
      if (c != step.from) parts.push_back(part);
      if (c == step.from) {
        for (std::uint32_t character : step.to) parts.push_back({character, part.combining_class});
      }
      break;
  }
  // What is removed still keeps the marks on its two sides apart when it was not itself reordered.
  if (drops && ordered && part.combining_class == 0) parts.push_back({0, 0, true});
}

NormalizerCompiler::Elements NormalizerCompiler::Expand(std::uint32_t code_point) const {
  std::vector<Part> parts = {{code_point}};
  bool ordered = false, spaced = false;
  for (const NormalizerStep& step : rules_.steps) {
    const bool orders = step.kind == Kind::kDecompose || step.kind == Kind::kDecomposeCompatibly;
    spaced |= step.kind == Kind::kSpaceChinese && parts.size() == 1 && (flags_[parts[0].value] & kIsChinese) != 0;
    std::vector<Part> next;
    for (const Part& part : parts) {
      if (!part.is_break) {
        Apply(step, ordered, part, next);
      } else if (!orders) {
        next.push_back(part);
      }
    }
    ordered |= orders;
    parts = std::move(next);
  }
  if (spaced && parts.size() == 3 && parts[0].value == ' ' && parts[2].value == ' ' && parts[1].combining_class == 0 &&
      ClassOf(parts[1].value) == CharClass::kWord) {
    return {PoolElement(parts[1].value, CharClass::kSpaced, 0)};
  }

  Elements elements;
  for (const Part& part : parts) {
    elements.push_back(part.is_break ? PoolElement(0, CharClass::kBreak, 0)
                                     : PoolElement(part.value, ClassOf(part.value), rank_[part.combining_class]));
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
  return elements;
}

Result<text::NormalizerTables> NormalizerCompiler::Compile(TableStore& store) const {
  const bool decomposes = Decomposes();
  const bool replaces = Has(Kind::kReplace);  // It may have a syllable in mind, or a Jamo.
  std::vector<std::uint16_t> entries(kCodePoints);
  std::map<Elements, std::size_t> replacements;
  std::vector<std::uint32_t> pool;
  for (std::uint32_t c = 0; c < kCodePoints; ++c) {
    if (decomposes && !replaces && c >= kHangulFirst && c <= kHangulLast) {
      entries[c] = text::kEntryHangul;
      continue;
    }
    if (!Changes(c)) continue;  // Entry 0: a character of a word.
    Elements elements = Expand(c);
    if (elements.empty()) {
      entries[c] = text::kEntryDrop;
    } else if (elements.size() == 1 && (IsBreak(elements[0]) || (elements[0] & 0x1FFFFF) == c) &&
               RankOf(elements[0]) == 0) {
      entries[c] = static_cast<std::uint16_t>(elements[0] >> 21 & 7);
    } else {
      elements.back() |= text::kLastElement;
      auto [it, is_new] = replacements.try_emplace(elements, pool.size());
      if (is_new) pool.insert(pool.end(), elements.begin(), elements.end());
      if (it->second + text::kEntryReplacement > 0xFFFF) {
        return Error(Code::kUnsupported, "the normaliser has too many replacements");
      }
      entries[c] = static_cast<std::uint16_t>(it->second + text::kEntryReplacement);
    }
  }
  std::vector<std::uint16_t> entry_blocks, leaves, middle, blocks;
  ShareBlocks<std::uint16_t>(entries, entry_blocks, leaves);
  ShareBlocks<std::uint16_t>(leaves, middle, blocks);
  if (std::any_of(blocks.begin(), blocks.end(), [](std::uint16_t block) { return block > 0xFF; })) {
    return Error(Code::kUnsupported, "the normaliser has too many blocks");
  }
  text::NormalizerTables tables;
  tables.blocks = store.Keep(std::vector<std::uint8_t>(blocks.begin(), blocks.end()));
  tables.middle = store.Keep(std::move(middle));
  tables.entries = store.Keep(std::move(entry_blocks));
  tables.pool = store.Keep(std::move(pool), text::kLastElement);
  return tables;
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
