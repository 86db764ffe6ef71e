// Viterbi's algorithm, forwards, with the sums and the choice among equals of the Rust library.

#include "text/lattice.h"

#include <algorithm>
#include <bitset>
#include <cstring>

#include "text/utf8.h"

namespace thimble::text {
namespace {

// Bytes of the character that begins with `lead`; text is what EncodeUtf8 writes.
std::size_t BytesOf(std::uint8_t lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

// Calls relax(bytes, token, score) for all pieces that begin `text`, and for its first character alone if it has none.
template <typename Relax>
void ForEachPiece(const Unigram& kind, const Trie& trie, std::span<const std::uint8_t> text, Relax relax) {
  const std::size_t character = BytesOf(text[0]);
  bool has_character = false;
  trie.ForEachPrefix(text.first(std::min(text.size(), kMaxUnigramPiece)), [&](std::uint32_t token, std::size_t bytes) {
    has_character |= bytes == character;
    relax(bytes, token, kind.ScoreOf(token));
  });
  if (!has_character) relax(character, Lattice::kUnknown, kind.unknown_score);
}

}  // namespace

void Lattice::Clear() {
  origin_ = 0;
  size_ = at_ = reach_ = cut_ = num_targets_ = 0;
  scores_[0] = committed_score_ = 0;
}

void Lattice::Add(std::uint32_t character) {
  const std::size_t bytes = EncodeUtf8(character, &text_[size_]);
  std::fill_n(&links_[size_ + 1], bytes, 0u);
  size_ += bytes;
}

void Lattice::Relax(std::size_t begin) {
  const double here = scores_[(origin_ + begin) % scores_.size()];
  ForEachPiece(kind_, trie_, text().subspan(begin), [&](std::size_t bytes, std::uint32_t token, double score) {
    const std::size_t end = begin + bytes;
    double& best = scores_[(origin_ + end) % scores_.size()];
    const double sum = score + here;
    if (links_[end] != 0 && !(sum > best)) return;
    best = sum;
    links_[end] = token << 8 | static_cast<std::uint32_t>(bytes);
    reach_ = std::max(reach_, end);
  });
}

std::size_t Lattice::Advance(bool ended) {
  while (at_ < size_ && (ended || size_ - at_ >= kMaxUnigramPiece)) {
    if (num_targets_ > 0 && origin_ + at_ == targets_[num_targets_ - 1]) Restrict(at_);
    if (at_ == reach_) cut_ = at_;
    Relax(at_);
    at_ += BytesOf(text_[at_]);
  }
  if (ended && at_ == size_) return size_;
  return cut_ > 0 ? cut_ : CommonAncestor();
}

void Lattice::Restrict(std::size_t place) {
  std::fill(&links_[place + 1], &links_[size_] + 1, 0u);
  at_ = reach_ = place;
  while (num_targets_ > 0 && targets_[num_targets_ - 1] <= origin_ + place) --num_targets_;
}

std::size_t Lattice::CommonAncestor() const {
  std::bitset<kBytes + 1> passed;
  std::size_t ways = 0;
  for (std::size_t place = at_; place <= reach_; ++place) {
    if (links_[place] == 0) continue;
    passed.set(place);
    ++ways;
  }
  for (std::size_t place = reach_; place > 0; --place) {
    if (!passed[place]) continue;
    if (ways == 1) return place;
    const std::size_t begin = place - std::min<std::size_t>(links_[place] & 0xFF, place);
    --ways;
    if (passed[begin]) continue;
    passed.set(begin);
    ++ways;
  }
  return 0;
}

// Follows all ways from a lattice on, and of each only the places where it passed the marks.
class Lattice::Scout {
 public:
  Scout(const Lattice& lattice, const WordReader& rest) : lattice_(lattice), rest_(rest) {
    begin_ = lattice.origin_ + lattice.at_;
    end_ = lattice.origin_ + lattice.size_;
    reach_ = lattice.origin_ + lattice.reach_;
    limit_ = lattice.num_targets_ > 0 ? lattice.targets_[lattice.num_targets_ - 1] : ~std::uint64_t{0};
    for (std::uint64_t place = begin_; place < end_; ++place) {
      text_[place % kText] = lattice.text_[place - lattice.origin_];
    }
    const std::size_t mark = lattice.at_ / 2;
    std::array<std::uint8_t, kBytes + 1> passed{};  // Behind the mark.
    for (std::size_t place = mark; place <= lattice.reach_; ++place) {
      const std::size_t bytes = lattice.links_[place] & 0xFF;
      if (bytes == 0 || bytes > place) continue;
      const std::size_t from = place - bytes;
      passed[place] = from < mark ? static_cast<std::uint8_t>(place - mark) : passed[from];
      if (place < lattice.at_ || lattice.origin_ + place > limit_) continue;
      const std::size_t slot = (lattice.origin_ + place) % kPlaces;
      reached_[slot] = true;
      scores_[slot] = lattice.scores_[slot];
      passed_[slot][0] = passed[place];
    }
    marks_[0] = lattice.origin_ + mark;
    for (std::size_t i = 1; i < kMarks; ++i) marks_[i] = begin_ + i * step_;
  }

  // Places that the best way passes, the first of them in the lattice.
  std::span<const std::uint64_t> Run() {
    std::size_t until_check = kCheck;
    for (std::size_t first_mark = 1;;) {
      Fill();
      if (begin_ == end_ || begin_ == limit_) return Known(begin_);
      if (--until_check == 0) {
        until_check = kCheck;
        if (const auto known = Known(reach_); !known.empty()) return known;
      }
      while (first_mark < kMarks && marks_[first_mark] <= begin_) ++first_mark;
      if (first_mark == kMarks) first_mark = Thin();
      Relax(first_mark);
    }
  }

 private:
  static constexpr std::size_t kPlaces = 256;  // More than the bytes of a piece.
  static constexpr std::size_t kText = 512;
  static constexpr std::size_t kMarks = 8;
  static constexpr std::size_t kCheck = 64;  // Characters between two looks at what the ways have in common.
  static_assert(kPlaces > kMaxUnigramPiece && kText >= kMaxUnigramPiece + 4);

  void Fill() {
    while (!ended_ && end_ - begin_ < kMaxUnigramPiece) {
      Unit unit;
      if (!rest_.Next(unit)) {
        ended_ = true;
        return;
      }
      std::uint8_t utf8[4];
      const std::size_t bytes = EncodeUtf8(unit.value, utf8);
      for (std::size_t i = 0; i < bytes; ++i) text_[end_++ % kText] = utf8[i];
    }
  }

  void Relax(std::size_t next_mark) {
    std::array<std::uint8_t, kMaxUnigramPiece> text;
    const std::size_t left = std::min<std::uint64_t>({end_ - begin_, limit_ - begin_, kMaxUnigramPiece});
    for (std::size_t i = 0; i < left; ++i) text[i] = text_[(begin_ + i) % kText];
    const std::size_t slot = begin_ % kPlaces;
    const double here = scores_[slot];
    const bool is_way = reached_[slot];
    const std::array<std::uint8_t, kMarks> passed = passed_[slot];
    const auto relax = [&](std::size_t bytes, std::uint32_t, double score) {
      const std::uint64_t end = begin_ + bytes;
      const std::size_t to = end % kPlaces;
      const double sum = score + here;
      if (reached_[to] && !(sum > scores_[to])) return;
      reached_[to] = true;
      scores_[to] = sum;
      passed_[to] = passed;
      if (end >= marks_[next_mark]) passed_[to][next_mark] = static_cast<std::uint8_t>(end - marks_[next_mark]);
      reach_ = std::max(reach_, end);
    };
    if (is_way) ForEachPiece(lattice_.kind_, lattice_.trie_, std::span(text).first(left), relax);
    // No piece begins inside a character.
    for (std::size_t bytes = BytesOf(text[0]); bytes > 0; --bytes) reached_[begin_++ % kPlaces] = false;
  }

  // Keeps every other mark, and puts new ones twice as far from each other behind them; the first of these.
  std::size_t Thin() {
    step_ *= 2;
    for (std::size_t i = 0; i < kMarks; ++i) {
      marks_[i] = i < kMarks / 2 ? marks_[2 * i] : marks_[i - 1] + step_;
    }
    for (auto& passed : passed_) {
      for (std::size_t i = 0; i < kMarks / 2; ++i) passed[i] = passed[2 * i];
    }
    return kMarks / 2;
  }

  // What the ways that are left, up to `last`, have in common: places behind the marks before them all.
  std::span<const std::uint64_t> Known(std::uint64_t last) {
    std::size_t known = kMarks;
    while (known > 0 && (marks_[known - 1] > begin_)) --known;
    const std::array<std::uint8_t, kMarks>* first = nullptr;
    for (std::uint64_t place = begin_; place <= last; ++place) {
      if (!reached_[place % kPlaces]) continue;
      const auto& passed = passed_[place % kPlaces];
      if (first == nullptr) first = &passed;
      while (known > 0 &&
             !std::equal(first->begin(), first->begin() + static_cast<std::ptrdiff_t>(known), passed.begin())) {
        --known;
      }
    }
    if (first == nullptr) known = 0;
    for (std::size_t i = 0; i < known; ++i) places_[i] = marks_[i] + (*first)[i];
    return std::span(places_).first(known);
  }

  const Lattice& lattice_;
  WordReader rest_;
  bool ended_ = false;
  std::uint64_t begin_, end_;  // Places in the word: of the next pieces, and behind what was read.
  std::uint64_t reach_;
  std::uint64_t limit_;  // Where the best way is known to pass.
  std::uint64_t step_ = 512;
  std::array<std::uint64_t, kMarks> marks_, places_;
  std::array<std::uint8_t, kText> text_;
  std::array<double, kPlaces> scores_;
  std::array<std::array<std::uint8_t, kMarks>, kPlaces> passed_;
  std::array<bool, kPlaces> reached_{};
};

void Lattice::Target(std::span<const std::uint64_t> places) {
  // What does not fit is found again.
  const std::size_t kept = std::min(num_targets_, targets_.size() - places.size());
  std::copy(&targets_[num_targets_ - kept], &targets_[num_targets_], &targets_[0]);
  num_targets_ = kept;
  for (std::size_t i = places.size(); i > 0; --i) {
    if (num_targets_ == 0 || places[i - 1] < targets_[num_targets_ - 1]) targets_[num_targets_++] = places[i - 1];
  }
}

std::size_t Lattice::Commit(bool ended, const WordReader& rest) {
  std::size_t end = Advance(ended);
  const bool restricts = end == 0;
  if (restricts) {
    Scout scout(*this, rest);
    const std::span<const std::uint64_t> places = scout.Run();
    // Damaged tables may lead nowhere, or into a character.
    end = places.empty() ? 1 : static_cast<std::size_t>(places[0] - origin_);
    while (end < size_ && (text_[end] & 0xC0) == 0x80) ++end;
    Target(places);
    Restrict(end);
  }
  LinkForward(end);
  if (ended && end == size_) return end;
  for (std::size_t place = 0; place < end;) {
    const Piece piece = PieceAt(place);
    const double score = piece.token == kUnknown ? kind_.unknown_score : kind_.ScoreOf(piece.token);
    committed_score_ = score + committed_score_;
    place += piece.bytes;
  }
  // It lies before at_, so that later scores may have taken its place.
  if (restricts) scores_[(origin_ + end) % scores_.size()] = committed_score_;
  return end;
}

void Lattice::LinkForward(std::size_t end) {
  std::uint32_t link = links_[end];
  for (std::size_t place = end; place > 0;) {
    if (link == 0) link = kUnknown << 8 | 1;  // Only with damaged tables.
    place -= std::min<std::size_t>(link & 0xFF, place);
    std::swap(links_[place], link);
  }
}

void Lattice::Drop(std::size_t bytes) {
  std::copy(&text_[bytes], &text_[size_], &text_[0]);
  std::copy(&links_[bytes + 1], &links_[size_] + 1, &links_[1]);
  origin_ += bytes;
  size_ -= bytes;
  at_ -= std::min(at_, bytes);
  reach_ -= std::min(reach_, bytes);
  cut_ = 0;
}

}  // namespace thimble::text
