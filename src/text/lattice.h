// The best pieces of a word of any length, in bounded memory.

#ifndef THIMBLE_TEXT_LATTICE_H_
#define THIMBLE_TEXT_LATTICE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "text/trie.h"
#include "text/unigram.h"
#include "text/word_reader.h"

namespace thimble::text {

// For each place in a word the best way there, where places are those of bytes. Characters are added, and as soon as
// all ways that can still win have their beginning in common, or the word ends, that beginning is committed, read and
// dropped. Where a full lattice has nothing in common, it reads ahead: over the rest of the word if need be, but each
// time it remembers eight places that the best way passes, so that the time for a word of n bytes is in proportion to
// n log n.
class Lattice {
 public:
  static constexpr std::size_t kBytes = 1024;                // Of a word in hand.
  static constexpr std::uint32_t kUnknown = (1u << 24) - 1;  // A token that stands for a character without pieces.

  struct Piece {
    std::uint32_t token;
    std::size_t bytes;
  };

  explicit Lattice(const Unigram& kind) : kind_(kind), trie_(kind.trie) {}

  // A new word.
  void Clear();
  bool HasRoom() const { return size_ + 4 <= kBytes; }
  void Add(std::uint32_t character);
  // Bytes that were added and not dropped.
  std::span<const std::uint8_t> text() const { return {text_.data(), size_}; }

  // The bytes of the beginning that is certain: at least one, all where `rest` has nothing more of the word. Requires
  // that there is no room, or nothing more. Of `rest` only a copy reads.
  std::size_t Commit(bool ended, const WordReader& rest);
  // The piece that begins at a place before the end of what was committed.
  Piece PieceAt(std::size_t begin) const { return {links_[begin] >> 8, links_[begin] & 0xFF}; }
  // Drops what was committed.
  void Drop(std::size_t bytes);

 private:
  class Scout;

  void Relax(std::size_t begin);
  // Goes on with the pieces that begin before the end; how far the beginning is certain, 0 for nothing.
  std::size_t Advance(bool ended);
  // The last place before at_ that all ways have passed.
  std::size_t CommonAncestor() const;
  // Leaves only the way through `place` of those that go on behind it.
  void Restrict(std::size_t place);
  void Target(std::span<const std::uint64_t> places);
  void LinkForward(std::size_t end);

  const Unigram& kind_;
  const Trie trie_;
  std::uint64_t origin_ = 0;  // Place of text_[0] in the word.
  std::size_t size_ = 0;
  std::size_t at_ = 0;     // Pieces that begin before it are in the lattice.
  std::size_t reach_ = 0;  // Where the last of them ends.
  std::size_t cut_ = 0;    // The last place that no piece spans.
  // Places in the word that the best way passes, the next one last.
  std::array<std::uint64_t, 64> targets_;
  std::size_t num_targets_ = 0;
  std::array<std::uint8_t, kBytes> text_;
  // Of the best piece that ends at a place its token and, in the low bits, its bytes; 0 for none. Before what was
  // committed ends, of the one that begins there.
  std::array<std::uint32_t, kBytes + 1> links_;
  std::array<double, 256> scores_;  // Of the best way to places from at_ on, by their last eight bits.
  double committed_score_ = 0;      // Of the best way to the end of what was committed.
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_LATTICE_H_
