// The way of a text through normaliser, words and WordPiece to ids.

#include "text/tokenizer.h"

#include <array>

#include "text/check_tables.h"
#include "text/trie.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

// The word being read: at most `max_chars` characters, marks in canonical order.
class Word {
 public:
  explicit Word(std::size_t max_chars) : max_chars_(max_chars) {}

  bool empty() const { return size_ == 0; }
  bool too_long() const { return too_long_; }

  void Append(std::uint32_t code_point, std::uint8_t rank) {
    if (size_ == max_chars_) {
      too_long_ = true;
      return;
    }
    std::size_t i = size_++;
    if (rank != 0) {
      for (; i > run_begin_ && chars_[i - 1] >> 24 > rank; --i) chars_[i] = chars_[i - 1];
    }
    chars_[i] = PoolElement(code_point, CharClass::kWord, rank);
  }

  // Later marks stay behind what is here.
  void EndRun() { run_begin_ = size_; }

  void Clear() {
    size_ = 0;
    run_begin_ = 0;
    too_long_ = false;
  }

  std::span<const std::uint8_t> Utf8() {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < size_; ++i) bytes += EncodeUtf8(chars_[i] & 0x1FFFFF, &utf8_[bytes]);
    return {utf8_.data(), bytes};
  }

 private:
  std::size_t max_chars_;
  std::size_t size_ = 0;
  std::size_t run_begin_ = 0;
  bool too_long_ = false;
  std::array<std::uint32_t, kMaxWordChars> chars_;  // Code point, and the rank from bit 24.
  std::array<std::uint8_t, 4 * kMaxWordChars> utf8_;
};

// Ids of the text between those before and behind it.
class Ids {
 public:
  explicit Ids(std::span<std::int32_t> ids) : ids_(ids) {}

  bool full() const { return count_ == ids_.size(); }
  bool truncated() const { return truncated_; }
  std::size_t count() const { return count_; }

  void Add(std::uint32_t id) {
    if (full()) {
      truncated_ = true;
    } else {
      ids_[count_++] = static_cast<std::int32_t>(id);
    }
  }

  // Splits a word into the longest pieces from left to right, or makes it unknown.
  void AddWord(const Trie& trie, std::uint32_t continuation_group, std::uint32_t unknown,
               std::span<const std::uint8_t> word) {
    const std::size_t count_before = count_;
    const bool truncated_before = truncated_;
    std::uint32_t group = Trie::kRoot;
    while (!word.empty()) {
      Trie::Match match = trie.Longest(group, word);
      if (match.length == 0) {
        count_ = count_before;
        truncated_ = truncated_before;
        Add(unknown);
        return;
      }
      Add(match.id);
      word = word.subspan(match.length);
      group = continuation_group;
    }
  }

 private:
  std::span<std::int32_t> ids_;
  std::size_t count_ = 0;
  bool truncated_ = false;
};

}  // namespace

Result<Tokenizer> Tokenizer::Create(const Tables& tables, std::size_t vocabulary) {
  Status status = CheckTables(tables, vocabulary);
  if (!status.ok()) return status;
  return Tokenizer(tables);
}

Tokenizer::Tokenizer(const Tables& tables)
    : tables_(tables), continuation_group_(Trie(tables).Descend(tables.continuation.first(tables.continuation_bytes))) {
  for (std::uint32_t i = 0; i < tables_.added_raw; ++i) added_first_.set(tables_.added_text[tables_.added_begin[i]]);
}

std::size_t Tokenizer::num_special() const { return std::size_t{tables_.prefix_count} + tables_.suffix_count; }

Item Tokenizer::NextMatching(NormalizedReader& reader) const {
  NormalizedReader ahead = reader;
  Item match = reader.Next();
  if (match.kind != Item::Kind::kCharacter) return match;
  AddedSearch search(tables_, tables_.added_raw, tables_.added);
  while (true) {
    const Item item = ahead.Next();
    if (item.kind == Item::Kind::kBreak) continue;
    if (item.kind != Item::Kind::kCharacter) return match;
    std::uint8_t utf8[4];
    const std::size_t bytes = EncodeUtf8(item.value, utf8);
    for (std::size_t i = 0; i < bytes; ++i) {
      if (!search.Step(utf8[i])) return match;
    }
    if (search.whole()) {
      match = {Item::Kind::kAdded, CharClass::kWord, 0, search.index()};
      reader = ahead;
    }
  }
}

Encoded Tokenizer::Encode(std::string_view text, std::span<std::int32_t> ids) const {
  const Trie trie(tables_);
  const bool match_normalized = tables_.added > tables_.added_raw;
  NormalizedReader reader(tables_, added_first_, text);
  Word word(tables_.max_word_chars);
  Ids out(ids.subspan(tables_.prefix_count, ids.size() - num_special()));

  auto finish_word = [&] {
    if (word.empty()) return;
    if (word.too_long()) {
      out.Add(tables_.unknown_id);
    } else {
      out.AddWord(trie, continuation_group_, tables_.unknown_id, word.Utf8());
    }
    word.Clear();
  };

  bool truncated = false;
  while (!truncated) {
    const Item item = match_normalized ? NextMatching(reader) : reader.Next();
    if (item.kind == Item::Kind::kEnd) break;
    if (item.kind == Item::Kind::kBreak) {
      word.EndRun();
      continue;
    }
    const bool joins = item.kind == Item::Kind::kCharacter && item.char_class == CharClass::kWord;
    if (!joins) finish_word();
    if (item.kind == Item::Kind::kAdded) {
      out.Add(tables_.added_ids[item.value]);
    } else if (item.char_class != CharClass::kSpace) {
      // The first character of a word that cannot be written proves that there is more.
      if (word.empty() && out.full()) {
        truncated = true;
        break;
      }
      word.Append(item.value, item.rank);
      if (!joins) finish_word();
    }
    truncated = out.truncated();
  }
  if (!truncated) finish_word();
  truncated = truncated || out.truncated();

  for (std::uint32_t i = 0; i < tables_.prefix_count; ++i) ids[i] = static_cast<std::int32_t>(tables_.prefix[i]);
  for (std::uint32_t i = 0; i < tables_.suffix_count; ++i) {
    ids[tables_.prefix_count + out.count() + i] = static_cast<std::int32_t>(tables_.suffix[i]);
  }
  return {out.count() + num_special(), truncated};
}

}  // namespace thimble::text
