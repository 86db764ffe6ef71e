// The way of a text through normaliser, words and lattice to ids.

#include "text/unigram.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "base/error.h"
#include "text/lattice.h"

namespace thimble::text {
namespace {

constexpr double kUnknownPenalty = 10;  // Behind the lowest score, as in the library.

// Each run is a word, or a part of it; where words are whole texts, a token that begins with the mark begins a word.
class UnigramStream final : public TokenStream {
 public:
  UnigramStream(const Unigram& kind, const TextReader& text, TokenRanges* ranges)
      : kind_(kind),
        trie_(kind.trie),
        words_(kind.normalizer, kind.rules, text),
        lattice_(kind),
        ranges_(ranges),
        marks_(kind.rules.splits_at_marks == 0 ? kind.mark_utf8 : std::string_view()) {}

  bool Next(Run& run) override;
  bool AtEnd() override {
    if (in_word_) return false;
    WordReader ahead = words_;
    Unit added;
    return ahead.Begin(added) == WordReader::What::kEnd;
  }

 private:
  static constexpr std::size_t kMaxUnknown = kMaxRun;  // Bytes of unknown characters that become one by one tokens.

  // Gives the tokens of what was committed; false where the run has to go before the rest.
  bool Emit(Run& run);
  // Gives the unknown characters in hand; false where there is no room.
  bool FlushUnknown(Run& run);
  void AddUnknown(std::size_t begin, const Lattice::Piece& piece);
  void Put(Run& run, std::uint32_t id, ByteRange range) {
    if (ranges_ != nullptr) [[unlikely]]
      ranges_->tokens[run.size] = range;
    run.ids[run.size++] = id;
  }
  // What bytes [begin, end) of the lattice stand for.
  ByteRange RangeOf(std::size_t begin, std::size_t end) const;

  const Unigram& kind_;
  const Trie trie_;
  WordReader words_;
  Lattice lattice_;
  TokenRanges* const ranges_;
  const std::string_view marks_;  // What begins a word within a text.
  bool in_word_ = false;
  bool read_all_ = false;                    // Of the word.
  bool first_token_ = false;                 // Whether the next token is the first of the word.
  std::size_t emitted_ = 0, committed_ = 0;  // Bytes of the lattice.
  // Unknown characters next to each other, which are one token, or their bytes.
  std::size_t num_unknown_ = 0;
  bool is_entry_ = false;  // The last of them is the entry that stands for unknown characters, spelled out.
  ByteRange unknown_range_;
  std::size_t unknown_size_ = 0;
  std::array<std::uint8_t, kMaxUnknown> unknown_bytes_;
};

bool UnigramStream::Next(Run& run) {
  run.ends_word = true;
  for (;;) {
    if (emitted_ < committed_ && !Emit(run)) return true;
    if (in_word_ && read_all_ && committed_ == lattice_.text().size()) {
      if (!FlushUnknown(run)) {
        run.ends_word = false;
        return true;
      }
      in_word_ = false;
      committed_ = emitted_ = 0;
      return true;
    }
    if (!in_word_) {
      Unit added;
      switch (words_.Begin(added)) {
        case WordReader::What::kEnd:
          return false;
        case WordReader::What::kAdded:
          Put(run, kind_.added.Id(added.value - TextReader::kFirstAdded), added.range());
          return true;
        case WordReader::What::kWord:
          break;
      }
      lattice_.Clear();
      in_word_ = first_token_ = true;
      read_all_ = false;
    } else {
      lattice_.Drop(committed_);
      if (ranges_ != nullptr) [[unlikely]] {
        auto& characters = ranges_->characters;
        std::copy(characters.begin() + static_cast<std::ptrdiff_t>(committed_), characters.end(), characters.begin());
      }
    }
    while (!read_all_ && lattice_.HasRoom()) {
      Unit unit;
      if (!words_.Next(unit)) {
        read_all_ = true;
        break;
      }
      if (ranges_ != nullptr) [[unlikely]]
        ranges_->characters[lattice_.text().size()] = unit.range();
      lattice_.Add(unit.value);
    }
    committed_ = lattice_.Commit(read_all_, words_);
    emitted_ = 0;
  }
}

bool UnigramStream::Emit(Run& run) {
  while (emitted_ < committed_) {
    const Lattice::Piece piece = lattice_.PieceAt(emitted_);
    const std::uint32_t id = piece.token == Lattice::kUnknown ? kind_.unknown : trie_.IdOfToken(piece.token);
    if (id == kind_.unknown) {
      if (!kind_.bytes.empty() && unknown_size_ + piece.bytes > kMaxUnknown && !FlushUnknown(run)) {
        run.ends_word = false;
        return false;
      }
      AddUnknown(emitted_, piece);
    } else {
      if (!FlushUnknown(run)) {
        run.ends_word = false;
        return false;
      }
      const std::span<const std::uint8_t> text = lattice_.text().subspan(emitted_, piece.bytes);
      const bool begins = !marks_.empty() && !first_token_ && text.size() >= marks_.size() &&
                          std::equal(marks_.begin(), marks_.end(), text.begin(), [](char mark, std::uint8_t byte) {
                            return static_cast<std::uint8_t>(mark) == byte;
                          });
      if ((begins && run.size > 0) || run.size == run.ids.size()) {
        run.ends_word = begins;
        return false;
      }
      Put(run, id, ranges_ != nullptr ? RangeOf(emitted_, emitted_ + piece.bytes) : ByteRange());
    }
    first_token_ = false;
    emitted_ += piece.bytes;
  }
  return true;
}

void UnigramStream::AddUnknown(std::size_t begin, const Lattice::Piece& piece) {
  if (ranges_ != nullptr) [[unlikely]] {
    const ByteRange range = RangeOf(begin, begin + piece.bytes);
    if (num_unknown_ == 0) unknown_range_.begin = range.begin;
    unknown_range_.end = range.end;
  }
  ++num_unknown_;
  is_entry_ = piece.token != Lattice::kUnknown;
  if (kind_.bytes.empty()) return;
  const std::span<const std::uint8_t> text = lattice_.text().subspan(begin, piece.bytes);
  std::copy(text.begin(), text.end(), unknown_bytes_.begin() + static_cast<std::ptrdiff_t>(unknown_size_));
  unknown_size_ += piece.bytes;
}

bool UnigramStream::FlushUnknown(Run& run) {
  if (num_unknown_ == 0) return true;
  const bool as_bytes = !kind_.bytes.empty() && !(num_unknown_ == 1 && is_entry_);
  const std::size_t tokens = as_bytes ? unknown_size_ : 1;
  if (run.size + tokens > run.ids.size()) return false;
  for (std::size_t i = 0; i < tokens; ++i) {
    Put(run, as_bytes ? kind_.bytes[unknown_bytes_[i]] : kind_.unknown, unknown_range_);
  }
  num_unknown_ = unknown_size_ = 0;
  return true;
}

ByteRange UnigramStream::RangeOf(std::size_t begin, std::size_t end) const {
  const std::span<const std::uint8_t> text = lattice_.text();
  std::size_t last = end - 1;
  while (last > begin && (text[last] & 0xC0) == 0x80) --last;
  return {ranges_->characters[begin].begin, ranges_->characters[last].end};
}

}  // namespace

Status Unigram::Check(std::size_t vocabulary) {
  THIMBLE_RETURN_IF_ERROR(CheckTrie(trie, vocabulary));
  const std::uint32_t tokens = Trie(trie).CountTokens();
  if (tokens >= Lattice::kUnknown) return CorruptTable("nodes", "the vocabulary is too large");
  if (scores.empty() == exact_scores.empty()) return CorruptTable("scores", "one of two is expected");
  const std::uint64_t need = std::uint64_t{tokens} + 1;
  THIMBLE_RETURN_IF_ERROR(CheckLength("scores", std::max(scores.size(), exact_scores.size()), need));
  unknown_score = ScoreOf(tokens) - kUnknownPenalty;
  THIMBLE_RETURN_IF_ERROR(normalizer.Check());
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("mark", rules.mark, 0x10FFFF));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("prepend", rules.prepend, SplitRules::kFirst));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("splits_at_marks", rules.splits_at_marks, 1));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("splits_at_spaces", rules.splits_at_spaces, 1));
  std::uint8_t utf8[4];
  const std::size_t length = EncodeUtf8(rules.mark != 0 ? rules.mark : kDefaultMark, utf8);
  mark_utf8.assign(utf8, utf8 + length);
  if (!bytes.empty()) THIMBLE_RETURN_IF_ERROR(CheckLength("bytes", bytes.size(), kByteTokens));
  THIMBLE_RETURN_IF_ERROR(CheckIds("bytes", bytes, vocabulary));
  return CheckIds("unknown_id", std::span<const std::uint32_t>(&unknown, 1), vocabulary);
}

TokenStream* Unigram::Start(const TextReader& text, TokenRanges* ranges, StreamMemory& memory) const {
  return memory.Make<UnigramStream>(*this, text, ranges);
}

void Unigram::FindEntries(std::unordered_map<std::uint32_t, std::string>& entries) const {
  Trie(trie).FindEntries(entries);
}

std::optional<std::uint32_t> Unigram::FindId(std::string_view entry) const { return Trie(trie).Find(entry); }

void Unigram::AddTo(Fields& fields) {
  trie.AddTo(fields);
  fields.insert(fields.end(), {{"unknown_id", &unknown},
                               {"scores", &scores, true},
                               {"exact_scores", &exact_scores, true},
                               {"bytes", &bytes, true},
                               {"mark", &rules.mark, true},
                               {"prepend", &rules.prepend, true},
                               {"splits_at_marks", &rules.splits_at_marks, true},
                               {"splits_at_spaces", &rules.splits_at_spaces, true}});
  normalizer.AddTo(fields);
  added.AddTo(fields);
  around.AddTo(fields);
}

}  // namespace thimble::text
