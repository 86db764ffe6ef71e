// What a kind of tokenizer, such as WordPiece, provides. All else that is done with texts and tokens is built on this.

#ifndef THIMBLE_TEXT_KIND_H_
#define THIMBLE_TEXT_KIND_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "text/tables.h"
#include "text/text_reader.h"
#include "thimble/model.h"
#include "thimble/status.h"
#include "thimble/vocabulary.h"

namespace thimble::text {

// Consecutive tokens of one word.
struct Run {
  std::array<std::uint32_t, kMaxRun> ids;
  std::size_t size = 0;
  bool ends_word = true;  // Whether the token behind them begins a word.
};

// What a stream keeps of the word in hand so that it can tell where its tokens are. As in the library, the i-th
// character of a normalised word has the place of the i-th in the text, whatever order its marks were put in.
struct TokenRanges {
  // Takes `item` into the word, behind its first `size` characters; one that the word has no room for too.
  void AddCharacter(std::size_t size) {
    if (size == 0) word.begin = item.begin;
    word.end = item.end;
    if (size < characters.size()) characters[size] = item;
  }

  // Says that token `index` has bytes [begin, end), which are not empty, of the word's UTF-8.
  void AddToken(std::size_t index, std::span<const std::uint8_t> utf8, std::size_t begin, std::size_t end) {
    if (index == 0) last_byte_ = last_character_ = 0;
    const std::size_t first = CharacterOf(utf8, begin);
    tokens[index] = {characters[first].begin, characters[CharacterOf(utf8, end - 1)].end};
  }

  ByteRange item, held;  // Of the last item, and of the one that waits for the next word.
  ByteRange word;
  std::array<ByteRange, kMaxWordChars> characters;
  std::array<ByteRange, kMaxRun> tokens;  // Of the run.

 private:
  // The number of the character that has a byte, which is no earlier than that of the last call.
  std::size_t CharacterOf(std::span<const std::uint8_t> utf8, std::size_t byte) {
    for (; last_byte_ < byte; ++last_byte_) {
      if ((utf8[last_byte_ + 1] & 0xC0) != 0x80) ++last_character_;
    }
    return last_character_;
  }

  std::size_t last_byte_ = 0, last_character_ = 0;
};

// The tokens of one text, a run at a time. Its memory is that of a TokenReader, so that it is bounded whatever the
// text.
class TokenStream {
 public:
  // Puts the next tokens, of which there is at least one, into the empty `run`; false at the end.
  virtual bool Next(Run& run) = 0;
  // Whether Next would return false. Reads ahead no further than it takes to know.
  virtual bool AtEnd() = 0;

 protected:
  ~TokenStream() = default;
};

// Where a TokenStream lives.
class StreamMemory {
 public:
  template <typename Stream, typename... Arguments>
  TokenStream* Make(Arguments&&... arguments) {
    static_assert(sizeof(Stream) <= sizeof(bytes_) && alignof(Stream) <= alignof(StreamMemory));
    static_assert(std::is_trivially_destructible_v<Stream>);
    return new (bytes_) Stream(std::forward<Arguments>(arguments)...);
  }

 private:
  // For a word of kMaxWordChars, with 8 bytes for each, and what is known of the place in the text.
  alignas(std::max_align_t) std::byte bytes_[8 * kMaxWordChars + 4096];
};

// The tables of one tokenizer and what is done with them; kinds.h lists the kinds. Immutable behind Check, and
// thread-safe then.
class Kind {
 public:
  virtual ~Kind() = default;

  // In model files, and as "type" of the model of a tokenizer.json.
  virtual std::string_view name() const = 0;
  // All tables in the order of the model file.
  Fields ListFields();
  // Checks the kind's own tables: Ok when no text can lead outside them, into an endless loop, or to an id of
  // `vocabulary` or more. kCorrupt, naming the table, otherwise. Prepares what streams need.
  virtual Status Check(std::size_t vocabulary) = 0;

  // The tokens of `text`. With `ranges`, it keeps track of where they are: ranges->tokens[i] is the place of ids[i] of
  // a run. This and `ranges` must outlive the stream.
  virtual TokenStream* Start(const TextReader& text, TokenRanges* ranges, StreamMemory& memory) const = 0;

  // Fills in the entries of the ids that are keys; leaves alone those that the vocabulary does not have.
  virtual void FindEntries(std::unordered_map<std::uint32_t, std::string>& entries) const = 0;
  // The id of an entry that is no added token.
  virtual std::optional<std::uint32_t> FindId(std::string_view entry) const = 0;
  // The id of a word, or of a character, that has no pieces; none where those are left out.
  virtual std::optional<std::uint32_t> unknown_id() const = 0;
  // How entries are put together to a text.
  virtual Joining joining() const { return Joining::kWordPiece; }

  AddedTables added;
  TemplateTables around;

 private:
  // Adds all tables, those above included.
  virtual void AddTo(Fields& fields) = 0;
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_KIND_H_
