// Joining the bytes of words, in memory that does not depend on their length.
//
// A sequence of symbols is what the rules make of a text exactly if this is so of each two neighbours alone: the first
// join across a border would also be the first one there without the rest of the text. So the last symbol of each
// beginning of a word follows from those of shorter ones, and the symbols of a word from its end; what all
// beginnings share that the next symbol may start behind will not change.

#include <algorithm>
#include <array>
#include <bitset>
#include <cstring>
#include <span>

#include "text/bpe.h"
#include "text/bpe_source.h"
#include "text/trie.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

constexpr std::size_t kRoom = 1024;  // Bytes of a word in hand.
// Up to so many bytes are joined rule by rule, which is faster.
constexpr std::size_t kShort = 48;
static_assert(kRoom <= kMaxRun && kRoom <= kMaxWordChars && kRoom > 2 * Bpe::kMaxBytes);

// A symbol and how many bytes it has; 0 for none.
constexpr std::uint32_t Pack(std::uint32_t symbol, std::size_t length) {
  return symbol | static_cast<std::uint32_t>(length) << 24;
}
constexpr std::uint32_t SymbolOf(std::uint32_t packed) { return packed & 0xFFFFFF; }
constexpr std::size_t LengthOf(std::uint32_t packed) { return packed >> 24; }

// Whether the rules leave two symbols beside each other as they are: undoes their joins, the last one first, and looks
// whether the two at the border would have been joined before.
bool StayApart(const Bpe& kind, std::uint32_t left, std::uint32_t right) {
  for (std::uint32_t before = Bpe::kNoSymbol;;) {
    if (kind.Join(left, right) < before) return false;
    if (left > right && left >= kind.num_bytes) {
      before = left;
      left = kind.Right(left - kind.num_bytes);
    } else if (right >= kind.num_bytes) {
      // Of equal rules the left one is first.
      before = right + 1;
      right = kind.Left(right - kind.num_bytes);
    } else {
      return true;
    }
  }
}

// Calls visit(packed symbol) for each symbol of a word that begins `bytes`.
template <typename Visit>
void ForEachSymbol(const Bpe& kind, std::span<const std::uint8_t> bytes, Visit visit) {
  const Trie trie(kind.trie);
  const std::uint32_t others = kind.num_bytes + kind.rules;
  trie.ForEachPrefix(bytes.first(std::min<std::size_t>(bytes.size(), kind.longest)),
                     [&](std::uint32_t token, std::size_t length) {
                       const std::uint32_t symbol = trie.IdOfToken(token);
                       if (symbol < others) visit(Pack(symbol, length));
                     });
}

class BpeStream final : public TokenStream {
 public:
  BpeStream(const Bpe& kind, const TextReader& text, TokenRanges* ranges)
      : kind_(kind), source_(kind, text), ranges_(ranges) {}

  bool Next(Run& run) override;
  bool AtEnd() override;

 private:
  // What ended the bytes in hand.
  enum class Stop : std::uint8_t { kNone, kFull, kWord, kUnknown };

  void Fill();
  // The tokens of the bytes in hand, at the end of a word or before an unknown byte.
  void Finish(Run& run);
  // The word that begins as one token, whatever the rules say; false where it is no entry.
  bool TakeWhole(Run& run);
  // The bytes in hand as one token; false where they are none of the rules.
  bool IsWhole(Run& run);
  void JoinShort(Run& run);
  // Finds the last symbols of the beginnings of what is in hand, as far as they are certain.
  void Extend(bool ends);
  // Emits the tokens that no later byte of the word can change.
  void Commit(Run& run);
  // The longest beginning that all sequences of symbols share.
  std::size_t SharedBeginning() const;
  // The length of the first symbol, which only what is behind the bytes in hand decides.
  std::size_t FirstLength() const;
  // Adds the symbols of the first `end` bytes.
  void AddUpTo(std::size_t end, Run& run);
  void Drop(std::size_t count);
  void Add(std::uint32_t symbol, std::size_t begin, std::size_t end, Run& run);
  void AddUnknown(Run& run);
  // Where the last symbol of a beginning, which is not empty, begins.
  std::size_t Before(std::size_t end) const { return end - std::clamp<std::size_t>(LengthOf(last_[end]), 1, end); }
  // The place of an added token.
  ByteRange PlaceOf(const BpeSource::Added& added) const;
  // Whether the one space before a token counts as its own, because the library takes it for one that it added.
  bool KeepsLeading(bool first, std::size_t begin, std::size_t leading) const {
    return kind_.trims == Bpe::kTrimBehindPrefix && leading == 1 && (first || begin == 0);
  }
  // The place in the text of bytes [begin, end); `first` is that of the first token.
  ByteRange PlaceOf(std::size_t begin, std::size_t end, bool first) const;

  const Bpe& kind_;
  BpeSource source_;
  TokenRanges* const ranges_;
  bool in_word_ = false;
  bool first_ = true;  // Whether no token was given yet.
  Stop stop_ = Stop::kNone;
  std::size_t size_ = 0;  // Bytes in hand.
  std::size_t done_ = 0;  // Beginnings that symbols were looked for behind.
  std::array<std::uint8_t, kRoom> bytes_;
  std::array<std::uint32_t, kRoom + 1> last_;  // Of each beginning, packed.
};

bool BpeStream::Next(Run& run) {
  for (;;) {
    if (!in_word_) {
      const BpeSource::Next next = source_.Begin();
      if (next == BpeSource::Next::kEnd) return false;
      if (next == BpeSource::Next::kAdded) {
        const BpeSource::Added added = source_.TakeAdded();
        run.ids[run.size++] = kind_.added.Id(added.number);
        run.ends_word = true;
        if (ranges_ != nullptr) [[unlikely]]
          ranges_->tokens[0] = PlaceOf(added);
        first_ = false;
        return true;
      }
      if (kind_.whole_words != 0 && TakeWhole(run)) return true;
      in_word_ = true;
      size_ = done_ = 0;
      stop_ = Stop::kNone;
    }
    if (stop_ == Stop::kUnknown && size_ == 0) {
      AddUnknown(run);
    } else {
      Fill();
      if (stop_ == Stop::kFull) {
        Commit(run);
        run.ends_word = false;
        return true;
      }
      if (size_ > 0) Finish(run);
      in_word_ = stop_ == Stop::kUnknown;
    }
    run.ends_word = !in_word_;
    if (run.size > 0) return true;
  }
}

bool BpeStream::AtEnd() {
  if (in_word_) return false;
  for (BpeSource ahead = source_;;) {
    const BpeSource::Next next = ahead.Begin();
    if (next != BpeSource::Next::kWord) return next == BpeSource::Next::kEnd;
    if (kind_.num_bytes == 256 || kind_.unknown != 0) return false;
    for (std::uint8_t byte; ahead.ReadByte(byte);) {
      if (kind_.bytes[byte] != Bpe::kNoByte) return false;
    }
  }
}

void BpeStream::Fill() {
  const bool complete = kind_.num_bytes == 256;
  for (;;) {
    if (size_ == kRoom) {
      stop_ = Stop::kFull;
      return;
    }
    std::uint8_t byte;
    if (!source_.ReadByte(byte)) {
      stop_ = Stop::kWord;
      return;
    }
    if (!complete && kind_.bytes[byte] == Bpe::kNoByte) {
      if (kind_.unknown == 0) continue;
      stop_ = Stop::kUnknown;
      if (ranges_ != nullptr) ranges_->held = source_.place();
      return;
    }
    if (ranges_ != nullptr) [[unlikely]]
      ranges_->characters[size_] = source_.place();
    bytes_[size_++] = byte;
  }
}

void BpeStream::Finish(Run& run) {
  if (done_ == 0 && IsWhole(run)) {
    size_ = 0;
    return;
  }
  if (done_ == 0 && size_ <= kShort) {
    JoinShort(run);
  } else {
    Extend(true);
    AddUpTo(size_, run);
  }
  size_ = done_ = 0;
}

bool BpeStream::TakeWhole(Run& run) {
  BpeSource behind = source_;
  size_ = 0;
  for (std::uint8_t byte; behind.ReadByte(byte); ++size_) {
    if (size_ == kRoom) return false;
    if (ranges_ != nullptr) ranges_->characters[size_] = behind.place();
    bytes_[size_] = byte;
  }
  const Trie::Match match = Trie(kind_.trie).Longest(Trie::kRoot, {bytes_.data(), size_});
  if (match.length != size_) return false;
  source_ = behind;
  Add(match.id, 0, size_, run);
  run.ends_word = true;
  return true;
}

bool BpeStream::IsWhole(Run& run) {
  const Trie::Match match = Trie(kind_.trie).Longest(Trie::kRoot, {bytes_.data(), size_});
  if (match.length != size_) return false;
  if (match.id >= kind_.num_bytes + kind_.rules) return false;
  Add(match.id, 0, size_, run);
  return true;
}

void BpeStream::JoinShort(Run& run) {
  std::uint32_t symbols[kShort], joins[kShort];  // What each and the next are joined to.
  std::uint8_t begins[kShort];
  std::size_t count = size_;
  for (std::size_t i = 0; i < count; ++i) {
    symbols[i] = kind_.bytes[bytes_[i]];
    begins[i] = static_cast<std::uint8_t>(i);
  }
  for (std::size_t i = 0; i + 1 < count; ++i) joins[i] = kind_.Join(symbols[i], symbols[i + 1]);
  while (count > 1) {
    std::size_t first = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (joins[i] < joins[first]) first = i;
    }
    if (joins[first] == Bpe::kNoSymbol) break;
    symbols[first] = joins[first];
    --count;
    for (std::size_t i = first + 1; i < count; ++i) {
      symbols[i] = symbols[i + 1];
      begins[i] = begins[i + 1];
      joins[i - 1] = joins[i];
    }
    if (first > 0) joins[first - 1] = kind_.Join(symbols[first - 1], symbols[first]);
    if (first + 1 < count) joins[first] = kind_.Join(symbols[first], symbols[first + 1]);
  }
  for (std::size_t i = 0; i < count; ++i) Add(symbols[i], begins[i], i + 1 < count ? begins[i + 1] : size_, run);
}

void BpeStream::Extend(bool ends) {
  if (done_ == 0) last_.fill(0);
  for (; done_ < size_ && (ends || done_ + kind_.longest <= size_); ++done_) {
    const std::size_t at = done_;
    // Only damaged tables leave a beginning without symbols.
    if (at > 0 && last_[at] == 0) last_[at] = Pack(kind_.bytes[bytes_[at - 1]], 1);
    ForEachSymbol(kind_, {bytes_.data() + at, size_ - at}, [&](std::uint32_t packed) {
      std::uint32_t& last = last_[at + LengthOf(packed)];
      if (last == 0 && (at == 0 || StayApart(kind_, SymbolOf(last_[at]), SymbolOf(packed)))) last = packed;
    });
  }
}

void BpeStream::Commit(Run& run) {
  Extend(false);
  std::size_t end = SharedBeginning();
  if (end == 0) end = FirstLength();
  AddUpTo(end, run);
  Drop(end);
}

std::size_t BpeStream::SharedBeginning() const {
  // The rest of the word continues from one of these places. Each step replaces the last place by the one before its
  // symbol, until a single place is left.
  std::bitset<kRoom + 1> open;
  std::size_t count = kind_.longest;
  for (std::size_t i = 0; i < count; ++i) open.set(done_ - i);
  for (std::size_t i = done_; count > 1 && i > 0; --i) {
    if (!open[i]) continue;
    open.reset(i);
    const std::size_t before = Before(i);
    if (open[before]) --count;
    open.set(before);
  }
  std::size_t shared = 0;
  while (!open[shared]) ++shared;
  return shared;
}

std::size_t BpeStream::FirstLength() const {
  constexpr std::size_t kRing = 512;  // Above twice the longest symbol.
  std::array<std::uint32_t, kRing> last;
  std::array<std::uint8_t, kRing> first;  // The length of the first symbol of each beginning.
  std::array<std::uint8_t, kRoom + 1> firsts;
  for (std::size_t i = 1; i <= size_; ++i) {
    const std::size_t before = Before(i);
    firsts[i] = before == 0 ? static_cast<std::uint8_t>(std::min<std::size_t>(i, Bpe::kMaxBytes)) : firsts[before];
  }
  for (std::size_t i = done_ - kind_.longest; i <= size_; ++i) {
    last[i % kRing] = last_[i];
    first[i % kRing] = firsts[i];
  }
  std::array<std::uint8_t, kRing> bytes;  // From the one numbered `base` on.
  std::size_t base = done_ - 1, end = size_;
  std::memcpy(bytes.data(), &bytes_[base], end - base);
  BpeSource ahead = source_;
  bool ended = false;
  for (std::size_t at = done_;; ++at) {
    std::uint8_t byte = 0;
    while (!ended && end < at + kind_.longest) {
      ended = !ahead.ReadByte(byte);
      const bool known = ended || kind_.bytes[byte] != Bpe::kNoByte;
      ended |= !known && kind_.unknown != 0;
      if (ended || !known) continue;
      if (end - base == kRing) {
        std::memmove(bytes.data(), &bytes[at - 1 - base], end - (at - 1));
        base = at - 1;
      }
      bytes[end++ - base] = byte;
      last[end % kRing] = 0;
    }
    if (last[at % kRing] == 0) {
      last[at % kRing] = Pack(kind_.bytes[bytes[at - 1 - base]], 1);
      first[at % kRing] = first[(at - 1) % kRing];
    }
    bool same = true;
    for (std::size_t i = 1; i < kind_.longest && same; ++i) same = first[(at - i) % kRing] == first[at % kRing];
    if (same || at == end) return first[at % kRing];
    ForEachSymbol(kind_, {&bytes[at - base], end - at}, [&](std::uint32_t packed) {
      const std::size_t behind = at + LengthOf(packed);
      std::uint32_t& value = last[behind % kRing];
      if (value != 0 || !StayApart(kind_, SymbolOf(last[at % kRing]), SymbolOf(packed))) return;
      value = packed;
      first[behind % kRing] = first[at % kRing];
    });
  }
}

void BpeStream::AddUpTo(std::size_t end, Run& run) {
  std::size_t count = 0;
  for (std::size_t at = end; at > 0; at = Before(at)) ++count;
  run.size = count;
  for (std::size_t at = end; at > 0;) {
    const std::size_t before = Before(at);
    run.ids[--count] = kind_.Id(SymbolOf(last_[at]));
    if (ranges_ != nullptr) [[unlikely]]
      ranges_->tokens[count] = PlaceOf(before, at, first_ && count == 0);
    at = before;
  }
  first_ = false;
}

void BpeStream::Add(std::uint32_t symbol, std::size_t begin, std::size_t end, Run& run) {
  if (ranges_ != nullptr) [[unlikely]]
    ranges_->tokens[run.size] = PlaceOf(begin, end, first_);
  run.ids[run.size++] = kind_.Id(symbol);
  first_ = false;
}

void BpeStream::AddUnknown(Run& run) {
  ByteRange place;
  if (ranges_ != nullptr) place = ranges_->held;
  run.ids[run.size++] = kind_.unknown - 1;
  first_ = false;
  stop_ = Stop::kNone;
  std::uint8_t byte;
  while (kind_.joins_unknown != 0 && source_.ReadByte(byte)) {
    if (ranges_ != nullptr) ranges_->characters[0] = source_.place();
    if (kind_.bytes[byte] != Bpe::kNoByte) {
      bytes_[size_++] = byte;
      break;
    }
    if (ranges_ != nullptr) place.end = source_.place().end;
  }
  in_word_ = size_ > 0 || source_.InWord();
  if (ranges_ != nullptr) ranges_->tokens[0] = place;
}

ByteRange BpeStream::PlaceOf(const BpeSource::Added& added) const {
  if (kind_.trims == Bpe::kKeepSpaces) return added.place;
  const std::string_view token = kind_.added.Text(added.number);
  const auto* next = reinterpret_cast<const std::uint8_t*>(token.data());
  const std::uint8_t *begin = next, *end = next + token.size();
  std::size_t leading = added.stripped, first = token.size(), behind = 0;  // Of what is no white space.
  while (next != end) {
    const std::uint8_t* character = next;
    if (kind_.ClassOf(DecodeUtf8(next, end)) == SplitClass::kSpace) {
      if (behind == 0) ++leading;
      continue;
    }
    first = std::min(first, static_cast<std::size_t>(character - begin));
    behind = static_cast<std::size_t>(next - begin);
  }
  ByteRange place = added.place;
  if (!KeepsLeading(first_, place.begin, leading)) place.begin = added.own.begin + first;
  place.end = std::max(added.own.begin + behind, place.begin);
  return place;
}

ByteRange BpeStream::PlaceOf(std::size_t begin, std::size_t end, bool first) const {
  const auto& places = ranges_->characters;
  ByteRange place = {places[begin].begin, places[end - 1].end};
  if (kind_.trims == Bpe::kKeepSpaces) return place;
  std::size_t leading = 0, trailing = 0;
  while (begin + leading < end && bytes_[begin + leading] == ' ') ++leading;
  while (begin + trailing < end && bytes_[end - 1 - trailing] == ' ') ++trailing;
  if (leading > 0 && !KeepsLeading(first, place.begin, leading)) place.begin = places[begin + leading - 1].end;
  if (trailing > 0) place.end = std::max(places[end - trailing].begin, place.begin);
  return place;
}

void BpeStream::Drop(std::size_t count) {
  size_ -= count;
  done_ -= count;
  std::memmove(bytes_.data(), &bytes_[count], size_);
  std::memmove(last_.data(), &last_[count], (size_ + 1) * sizeof(last_[0]));
  std::fill(last_.begin() + static_cast<std::ptrdiff_t>(size_ + 1), last_.end(), 0u);
  if (ranges_ != nullptr) {
    std::copy_n(ranges_->characters.begin() + static_cast<std::ptrdiff_t>(count), size_, ranges_->characters.begin());
  }
}

}  // namespace

TokenStream* Bpe::Start(const TextReader& text, TokenRanges* ranges, StreamMemory& memory) const {
  return memory.Make<BpeStream>(*this, text, ranges);
}

}  // namespace thimble::text
