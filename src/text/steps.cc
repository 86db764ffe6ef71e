// What each step does, and the checks of its tables.

#include "text/steps.h"

#include <utility>

#include "base/error.h"

namespace thimble::text {
namespace {

constexpr std::uint32_t kCodePointBits = 0x1FFFFF;

std::uint32_t RankOf(const Unit& unit) { return unit.is_end() ? 0 : unit.value >> 24; }

// How far the characters of a piece are known to kCharsmap.
enum Stage : std::size_t { kNothing, kNothingGiven, kSomeGiven };

constexpr std::uint32_t kLeadingFirst = 0x1100, kVowelFirst = 0x1161, kTrailingFirst = 0x11A7, kSyllableFirst = 0xAC00;
constexpr std::uint32_t kLeadings = 19, kVowels = 21, kTrailings = 28;

// What two characters become together; kNoCodePoint for nothing.
std::uint32_t Compose(const StepTables& tables, std::uint32_t first, std::uint32_t second) {
  if (first - kLeadingFirst < kLeadings && second - kVowelFirst < kVowels) {
    return kSyllableFirst + ((first - kLeadingFirst) * kVowels + (second - kVowelFirst)) * kTrailings;
  }
  const std::uint32_t syllable = first - kSyllableFirst, trailing = second - kTrailingFirst;
  if (syllable < kLeadings * kVowels * kTrailings && syllable % kTrailings == 0 && trailing - 1 < kTrailings - 1) {
    return first + trailing;
  }
  const std::uint64_t key = std::uint64_t{first} << 42 | std::uint64_t{second} << 21;
  const std::span<const std::uint64_t> pairs = tables.compositions.first(tables.pairs);
  const auto found = std::lower_bound(pairs.begin(), pairs.end(), key);
  if (found == pairs.end() || *found >> 21 != key >> 21) return kNoCodePoint;
  return std::min<std::uint32_t>(*found & kCodePointBits, 0x10FFFF);
}

}  // namespace

Unit StepReader::NextOfCharacters(std::size_t below, State& state) {
  const bool ranks = below + 1 < tables_->size && tables_->steps[below + 1].kind == Step::Kind::kCompose;
  for (;;) {
    if (state.next < state.count) return state.held[state.next++];
    if (state.pool != nullptr) {
      const std::uint32_t element = *state.pool;
      state.pool = (element & kLastElement) != 0 ? nullptr : state.pool + 1;
      if ((element >> 21 & 7) == static_cast<std::uint32_t>(CharClass::kBreak)) continue;
      Unit unit = state.source;
      unit.value = element & kCodePointBits;
      if (ranks) unit.value |= (element >> 24 & 127) << 24;
      return unit;
    }
    Unit unit = Pull(below);
    if (unit.is_end()) return unit;
    const std::uint16_t entry = NormalizerEntry(tables_->characters, unit.value);
    if (entry < static_cast<std::uint16_t>(CharClass::kBreak)) return unit;
    if (entry == static_cast<std::uint16_t>(CharClass::kBreak) || entry == kEntryDrop) continue;
    if (entry == kEntryHangul) {
      const std::uint32_t index = (unit.value - kSyllableFirst) % (kLeadings * kVowels * kTrailings);
      state.count = state.next = 0;
      const auto hold = [&](std::uint32_t value) {
        unit.value = value;
        state.held[state.count++] = unit;
      };
      hold(kLeadingFirst + index / (kVowels * kTrailings));
      hold(kVowelFirst + index / kTrailings % kVowels);
      if (index % kTrailings != 0) hold(kTrailingFirst + index % kTrailings);
      continue;
    }
    state.source = unit;
    state.pool = &tables_->characters.pool[entry - kEntryReplacement];
  }
}

// Leaves in held[0] to held[count - 1] a cluster, or where in_long is set the part of one that was read, and decides
// what becomes of it as a whole: `span` is how many of them what `text` begins with stands for, 0 for one by one.
void StepReader::ReadCluster(std::size_t below, State& state) {
  const CharsmapTables& map = tables_->charsmap;
  std::uint8_t utf8[4 * kMaxPattern];
  const std::uint32_t first = state.has_ahead ? state.ahead_entry : map.Entry(state.held[0].value);
  state.has_ahead = false;
  state.count = 1;
  state.next = state.span = 0;
  std::size_t bytes = EncodeUtf8(state.held[0].value, utf8);
  const std::size_t first_bytes = bytes;
  state.breaks.Start(BreakClassOf(first));
  for (;;) {
    const Unit unit = Pull(below);
    state.ahead_entry = unit.is_end() ? 0 : map.Entry(unit.value);
    if (unit.is_end() || !state.breaks.Joins(BreakClassOf(state.ahead_entry))) {
      HoldAhead(state, unit);
      break;
    }
    state.held[state.count++] = unit;
    bytes += EncodeUtf8(unit.value, utf8 + bytes);
    if (bytes > kMaxClusterBytes) {
      state.in_long = true;
      return;
    }
  }
  state.text = first & kCharsmapOffset;
  if (state.text == 0 && state.count > 1 && (first & kCharsmapLonger) != 0) {
    state.text = map.FindCluster({utf8, bytes}, first_bytes);
  }
  if (state.text != 0) {
    state.span = state.count;
    state.copied = 0;
  }
}

Unit StepReader::NextOfCharsmap(std::size_t below, State& state) {
  const CharsmapTables& map = tables_->charsmap;
  // As in the library, what comes first stands at the beginning of the piece, whatever was removed before it.
  const auto give = [&state](Unit unit) {
    if (state.plain != kSomeGiven) {
      unit.bytes += static_cast<std::uint32_t>(unit.begin - state.source.begin);
      unit.begin = state.source.begin;
      state.plain = kSomeGiven;
    }
    return unit;
  };
  for (;;) {
    if (state.text != 0) {
      // `copied` counts the characters given; those beyond the characters replaced have the place of the last of these.
      const std::uint8_t* next = map.text.data() + (state.text - 1);
      if (*next != 0) {
        Unit unit = state.held[state.next + std::min<std::uint32_t>(state.copied, state.span - 1u)];
        unit.value = DecodeUtf8(next, map.text.data() + map.text.size());
        state.text = 1 + static_cast<std::uint32_t>(next - map.text.data());
        ++state.copied;
        return give(unit);
      }
      state.text = 0;
      state.next = static_cast<std::uint8_t>(state.next + state.span);
    }
    if (state.next < state.count) {
      const Unit unit = state.held[state.next];
      const std::uint32_t replaced = map.Entry(unit.value) & kCharsmapOffset;
      if (replaced != 0) {
        state.text = replaced;
        state.span = 1;
        state.copied = 0;
        continue;
      }
      ++state.next;
      return give(unit);
    }
    if (state.in_long) {
      const Unit unit = Pull(below);
      const std::uint32_t entry = unit.is_end() ? 0 : map.Entry(unit.value);
      if (unit.is_end() || !state.breaks.Joins(BreakClassOf(entry))) {
        state.in_long = false;
        state.ahead_entry = entry;
        HoldAhead(state, unit);
        continue;
      }
      state.held[0] = unit;
      state.count = 1;
      state.next = 0;
      continue;
    }
    if (!state.has_ahead) {
      state.held[0] = Pull(below);
    } else {
      state.held[0] = state.ahead;
    }
    if (state.held[0].is_end()) {
      state.has_ahead = false;
      state.count = state.next = 0;
      state.plain = kNothing;
      return state.held[0];
    }
    if (state.plain == kNothing) {
      state.plain = kNothingGiven;
      state.source = state.held[0];
    }
    ReadCluster(below, state);
  }
}

Unit StepReader::NextOfReplace(std::size_t below, const Step& step, State& state) {
  Unit unit;
  for (;;) {
    if (Copying(step, state, unit)) return unit;
    while (state.count < step.pattern.size() && !state.has_ahead) {
      unit = Pull(below);
      if (unit.is_end()) {
        HoldAhead(state, unit);
      } else {
        state.held[state.count++] = unit;
      }
    }
    const auto held = std::span(state.held).first(state.count);
    if (std::equal(held.begin(), held.end(), step.pattern.begin(), step.pattern.end(),
                   [](const Unit& one, std::uint32_t value) { return one.value == value; })) {
      state.source = state.held[state.count - 1];
      state.copied = state.count = 0;
      continue;
    }
    if (state.count == 0) return Ahead(below, state);
    unit = state.held[0];
    std::copy(held.begin() + 1, held.end(), held.begin());
    --state.count;
    return unit;
  }
}

Unit StepReader::NextOfCollapse(std::size_t below, const Step& step, State& state) {
  Unit unit;
  for (;;) {
    if (Copying(step, state, unit)) return unit;
    unit = Ahead(below, state);
    if (unit.is_end() || !step.InClass(unit.value)) return unit;
    bool counts = (step.flags & Step::kTwo) == 0 || step.InPattern(unit.value);
    state.source = unit;
    Unit next = Pull(below);
    for (; !next.is_end() && step.InClass(next.value); next = Pull(below)) {
      state.source = next;
      counts = true;
    }
    HoldAhead(state, next);
    if (!counts) return unit;
    state.copied = 0;
  }
}

Unit StepReader::NextOfTrim(std::size_t below, const Step& step, State& state) {
  Unit unit = Pull(below);
  if ((step.flags & Step::kLeft) != 0 && !state.started) {
    while (!unit.is_end() && step.InClass(unit.value)) unit = Pull(below);
    state.started = true;
  }
  if (!unit.is_end() && (step.flags & Step::kRight) != 0 && step.InClass(unit.value)) {
    if (state.plain > 0) {
      --state.plain;
      return unit;
    }
    StepReader behind = *this;
    Unit next = behind.Pull(below);
    for (; !next.is_end() && step.InClass(next.value); next = behind.Pull(below)) ++state.plain;
    if (!next.is_end()) return unit;
    do {
      unit = Pull(below);
    } while (!unit.is_end());
  }
  if (unit.is_end()) {
    state.started = false;
    state.plain = 0;
  }
  return unit;
}

Unit StepReader::NextOfPrefix(std::size_t below, const Step& step, State& state) {
  Unit unit;
  if (Copying(step, state, unit)) return unit;
  unit = Ahead(below, state);
  if (unit.is_end()) {
    state.started = false;
    return unit;
  }
  if (std::exchange(state.started, true)) return unit;
  if (!step.pattern.empty() && !step.InPattern(unit.value)) return unit;
  state.source = unit;
  HoldAhead(state, unit);
  state.copied = 0;
  if (Copying(step, state, unit)) return unit;
  return Ahead(below, state);
}

Unit StepReader::NextOfCompose(std::size_t below, const Step& step, State& state) {
  for (;;) {
    if (next_mark_ < num_marks_) {
      Unit unit = marks_[next_mark_++];
      unit.value &= kCodePointBits;
      return unit;
    }
    Unit unit = Ahead(below, state);
    if (unit.is_end()) return unit;
    marks_[0] = unit;
    num_marks_ = 1;
    next_mark_ = 0;
    const bool composes = (step.flags & Step::kComposes) != 0;
    // The first character takes the marks that compose with it, and other characters directly behind it.
    for (;;) {
      const std::size_t begin = num_marks_;
      for (unit = Pull(below); RankOf(unit) != 0 && num_marks_ < kMaxMarks; unit = Pull(below)) {
        marks_[num_marks_++] = unit;
      }
      const auto rank = [](const Unit& one) { return RankOf(one); };
      std::size_t from = RankOf(marks_[0]) != 0 ? 0 : begin;
      for (std::size_t i = from + 1; i < num_marks_; ++i) {
        // As in the library, the i-th character has the place of the i-th in the text.
        for (std::size_t at = i; at > from && rank(marks_[at - 1]) > rank(marks_[at]); --at) {
          std::swap(marks_[at - 1].value, marks_[at].value);
        }
      }
      if (composes && RankOf(marks_[0]) == 0) {
        std::size_t kept = 1;
        std::uint32_t last = 0;  // Rank of the last mark that was kept.
        for (std::size_t i = 1; i < num_marks_; ++i) {
          const std::uint32_t together = rank(marks_[i]) > last
                                             ? Compose(*tables_, marks_[0].value, marks_[i].value & kCodePointBits)
                                             : kNoCodePoint;
          if (together != kNoCodePoint) {
            marks_[0].value = together;
            continue;
          }
          last = rank(marks_[i]);
          marks_[kept++].value = marks_[i].value;
        }
        const std::size_t composed = num_marks_ - kept;
        for (std::size_t i = 1; i < kept; ++i) {
          marks_[i].begin = marks_[i + composed].begin;
          marks_[i].bytes = marks_[i + composed].bytes;
        }
        num_marks_ = kept;
      }
      if (composes && num_marks_ == 1 && RankOf(marks_[0]) == 0 && !unit.is_end() && RankOf(unit) == 0) {
        const std::uint32_t together = Compose(*tables_, marks_[0].value, unit.value);
        if (together != kNoCodePoint) {
          marks_[0].value = together;
          continue;
        }
      }
      break;
    }
    HoldAhead(state, unit);
  }
}

Status StepTables::Check() {
  THIMBLE_RETURN_IF_ERROR(CheckLength("steps", code.size(), words));
  std::span<const std::uint32_t> rest = code.first(words);
  size = 0;
  bool composes = false;
  while (!rest.empty()) {
    if (size == kMaxSteps) return CorruptTable("steps", "has too many");
    Step& step = steps[size++];
    if (rest.size() < 4 || rest[0] > static_cast<std::uint32_t>(Step::Kind::kCompose) || rest[1] > Step::kAllFlags ||
        rest[2] > kMaxPattern || rest[3] > rest.size() || rest.size() - 4 < std::size_t{rest[2]} + rest[3]) {
      return CorruptTable("steps", "has one that is malformed");
    }
    step = {static_cast<Step::Kind>(rest[0]), rest[1], rest.subspan(4, rest[2]), rest.subspan(4 + rest[2], rest[3])};
    for (std::uint32_t value : rest.subspan(4, std::size_t{rest[2]} + rest[3])) {
      if (value > 0x10FFFF) return CorruptTable("steps", "has what is not a character");
    }
    if (step.kind == Step::Kind::kReplace && step.pattern.empty()) return CorruptTable("steps", "replaces nothing");
    if (step.kind == Step::Kind::kCharacters) THIMBLE_RETURN_IF_ERROR(CheckNormalizer(characters));
    if (step.kind == Step::Kind::kCompose && std::exchange(composes, true)) {
      return CorruptTable("steps", "composes twice");
    }
    if (step.kind == Step::Kind::kCharsmap) THIMBLE_RETURN_IF_ERROR(CheckCharsmap(charsmap));
    rest = rest.subspan(std::size_t{4} + rest[2] + rest[3]);
  }
  return CheckLength("compositions", compositions.size(), pairs);
}

void StepTables::AddTo(Fields& fields) {
  fields.insert(fields.end(), {{"steps", &code, true},
                               {"step_words", &words, true},
                               {"normalizer.blocks", &characters.blocks, true},
                               {"normalizer.middle", &characters.middle, true},
                               {"normalizer.entries", &characters.entries, true},
                               {"normalizer.pool", &characters.pool, true}});
  charsmap.AddTo(fields);
  fields.insert(fields.end(), {{"compositions", &compositions, true}, {"composition_pairs", &pairs, true}});
}

Status CheckCharsmap(const CharsmapTables& tables) {
  THIMBLE_RETURN_IF_ERROR(CheckLength("charsmap.blocks", tables.blocks.size(), kNormalizerBlocks));
  const std::size_t middle_blocks = tables.middle.size() / kNormalizerBlock;
  for (std::uint8_t block : tables.blocks.first(kNormalizerBlocks)) {
    if (block >= middle_blocks) return CorruptTable("charsmap.blocks", "points outside charsmap.middle");
  }
  const std::size_t entry_blocks = tables.entries.size() / kNormalizerBlock;
  for (std::uint16_t block : tables.middle) {
    if (block >= entry_blocks) return CorruptTable("charsmap.middle", "points outside charsmap.entries");
  }
  if (tables.text.empty() || tables.text.back() != 0) return CorruptTable("charsmap.text", "has no end");
  for (std::uint32_t entry : tables.entries) {
    if ((entry & kCharsmapOffset) > tables.text.size()) {
      return CorruptTable("charsmap.entries", "points outside charsmap.text");
    }
  }
  THIMBLE_RETURN_IF_ERROR(CheckLength("charsmap.clusters", tables.clusters.size(), tables.keys));
  for (std::uint64_t cluster : tables.clusters.first(tables.keys)) {
    if ((cluster & 0xFFFFFF) >= tables.text.size()) {
      return CorruptTable("charsmap.clusters", "points outside charsmap.text");
    }
  }
  return Status();
}

}  // namespace thimble::text
