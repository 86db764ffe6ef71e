// The charsmap of SentencePiece, as the Rust library applies it: to whole grapheme clusters of less than six bytes,
// else to their characters.

#ifndef THIMBLE_TEXT_CHARSMAP_H_
#define THIMBLE_TEXT_CHARSMAP_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "text/tables.h"

namespace thimble::text {

inline constexpr std::size_t kMaxClusterBytes = 5;  // A longer cluster is looked up character by character.

// An entry has bits 0 to 23: 0 for a character that stays, else 1 and where its replacement starts in `text`; bits 24
// to 28: a BreakClass; and bit 29, set where a longer key begins with the character.
inline constexpr std::uint32_t kCharsmapOffset = (1u << 24) - 1;
inline constexpr std::uint32_t kCharsmapLonger = 1u << 29;

// How a character takes part in grapheme clusters. What is told apart is what decides whether a cluster is shorter than
// six bytes: regional indicators are not.
enum class BreakClass : std::uint8_t {
  kAny,
  kControl,
  kCarriageReturn,
  kLineFeed,
  kExtend,
  kExtendApart,  // Extends a cluster and ends a conjunct.
  kSpacing,      // A spacing mark.
  kJoiner,
  kLinker,
  kPrepend,
  kPictograph,
  kConsonant,
  kLeadingJamo,
  kVowelJamo,
  kTrailingJamo,
  kOpenSyllable,
  kClosedSyllable,
};

struct CharsmapTables {
  TableSpan<std::uint8_t> blocks;     // [272]
  TableSpan<std::uint16_t> middle;    // [blocks][64]
  TableSpan<std::uint32_t> entries;   // [blocks][64], found as those of the normaliser.
  TableSpan<std::uint64_t> clusters;  // [keys], sorted: the bytes of a key from bit 63, and its replacement in 24 bits.
  TableSpan<std::uint8_t> text;       // Replacements in UTF-8, each with a zero behind it, the last byte too.
  std::uint32_t keys = 0;

  std::uint32_t Entry(std::uint32_t code_point) const {
    std::uint32_t block = blocks[code_point >> 12];
    block = middle[block * kNormalizerBlock + (code_point >> 6 & 63)];
    return entries[block * kNormalizerBlock + (code_point & 63)];
  }

  // 1 and where the replacement starts of the shortest key that begins `cluster` and has more than `longer` bytes; 0
  // for none.
  std::uint32_t FindCluster(std::span<const std::uint8_t> cluster, std::size_t longer) const {
    const std::span<const std::uint64_t> sorted = clusters.first(keys);
    std::uint64_t key = 0;
    for (std::size_t i = 0; i < cluster.size() && i < kMaxClusterBytes; ++i) {
      key |= std::uint64_t{cluster[i]} << (56 - 8 * i);
      if (i < longer) continue;
      const auto found = std::lower_bound(sorted.begin(), sorted.end(), key);
      if (found != sorted.end() && *found >> 24 == key >> 24) return 1 + static_cast<std::uint32_t>(*found & 0xFFFFFF);
    }
    return 0;
  }

  void AddTo(Fields& fields) {
    fields.insert(fields.end(), {{"charsmap.blocks", &blocks, true},
                                 {"charsmap.middle", &middle, true},
                                 {"charsmap.entries", &entries, true},
                                 {"charsmap.clusters", &clusters, true},
                                 {"charsmap.text", &text, true},
                                 {"charsmap_keys", &keys, true}});
  }
};

// kCorrupt, naming the table, where something points outside it.
Status CheckCharsmap(const CharsmapTables& tables);

inline BreakClass BreakClassOf(std::uint32_t entry) { return static_cast<BreakClass>(entry >> 24 & 31); }

// Whether characters belong to one grapheme cluster, from left to right.
class ClusterBreaks {
 public:
  void Start(BreakClass next) {
    emoji_ = Emoji::kNone;
    conjunct_ = Conjunct::kNone;
    Take(next);
  }

  // Whether `next` stays in the cluster of what was given before.
  bool Joins(BreakClass next) {
    const bool joins = JoinsLast(next);
    Take(next);
    return joins;
  }

 private:
  using Class = BreakClass;
  enum class Emoji : std::uint8_t { kNone, kPictograph, kJoined };
  enum class Conjunct : std::uint8_t { kNone, kConsonant, kLinked };

  static bool IsControl(Class c) {
    return c == Class::kControl || c == Class::kCarriageReturn || c == Class::kLineFeed;
  }

  bool JoinsLast(Class next) const {
    if (last_ == Class::kCarriageReturn && next == Class::kLineFeed) return true;
    if (IsControl(last_) || IsControl(next)) return false;
    switch (next) {
      case Class::kExtend:
      case Class::kExtendApart:
      case Class::kSpacing:
      case Class::kJoiner:
      case Class::kLinker:
        return true;
      default:
        break;
    }
    if (last_ == Class::kPrepend) return true;
    switch (next) {
      case Class::kLeadingJamo:
      case Class::kOpenSyllable:
      case Class::kClosedSyllable:
        return last_ == Class::kLeadingJamo;
      case Class::kVowelJamo:
        return last_ == Class::kLeadingJamo || last_ == Class::kOpenSyllable || last_ == Class::kVowelJamo;
      case Class::kTrailingJamo:
        return last_ >= Class::kVowelJamo;
      case Class::kConsonant:
        return conjunct_ == Conjunct::kLinked;
      case Class::kPictograph:
        return emoji_ == Emoji::kJoined;
      default:
        return false;
    }
  }

  void Take(Class next) {
    last_ = next;
    const bool extends = next == Class::kExtend || next == Class::kExtendApart || next == Class::kLinker;
    if (next == Class::kPictograph) {
      emoji_ = Emoji::kPictograph;
    } else if (next == Class::kJoiner && emoji_ == Emoji::kPictograph) {
      emoji_ = Emoji::kJoined;
    } else if (!extends || emoji_ == Emoji::kJoined) {
      emoji_ = Emoji::kNone;
    }
    if (next == Class::kConsonant) {
      conjunct_ = Conjunct::kConsonant;
    } else if (next == Class::kLinker && conjunct_ != Conjunct::kNone) {
      conjunct_ = Conjunct::kLinked;
    } else if (next != Class::kExtend && next != Class::kJoiner && next != Class::kLinker) {
      conjunct_ = Conjunct::kNone;
    }
  }

  Class last_ = Class::kControl;
  Emoji emoji_ = Emoji::kNone;
  Conjunct conjunct_ = Conjunct::kNone;
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_CHARSMAP_H_
