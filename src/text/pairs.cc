// Cutting pairs.

#include "text/pairs.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace thimble::text {
namespace {

// Appends ids up to an end.
struct BoundedWriter {
  std::int32_t* next;
  std::int32_t* end;

  template <typename Id>
  void Add(const Id* ids, std::size_t count) {
    for (std::size_t i = 0; i < count && next < end; ++i) *next++ = static_cast<std::int32_t>(ids[i]);
  }
};

}  // namespace

PairShare ShareRoom(std::size_t first, std::size_t second, std::size_t room) {
  if (first + second <= room) return {first, second};
  const bool first_is_longer = first > second;
  std::size_t shorter = std::min(first, second);
  std::size_t longer = shorter > room ? shorter : std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = room - shorter;
  }
  return first_is_longer ? PairShare{longer, shorter} : PairShare{shorter, longer};
}

Pairs::Pairs(const Tokenizer& tokenizer, std::size_t max_tokens, Cut cut, base::Arena& arena)
    : tokenizer_(tokenizer),
      max_tokens_(max_tokens),
      cut_(cut),
      first_(arena.Take<std::int32_t>(max_tokens)),
      second_(arena.Take<std::int32_t>(max_tokens)) {}

void Pairs::SetFirst(std::string_view prompt, std::string_view text) {
  TokenReader reader(tokenizer_, prompt, text);
  first_count_ = Read(reader, first_, std::numeric_limits<std::size_t>::max());
}

std::size_t Pairs::Read(TokenReader& reader, std::int32_t* ids, std::size_t enough) const {
  const std::span<std::int32_t> own(ids, room());
  std::size_t count = reader.Read(own);
  if (count < own.size()) return count;
  if (cut_ == Cut::kText && tokenizer_.truncates_left()) {
    // `own` is a ring from here on, whose oldest id lies at `place`.
    std::size_t place = 0;
    for (std::size_t read; (read = reader.Read(own.subspan(place))) > 0; count += read) {
      place = (place + read) % own.size();
    }
    std::rotate(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(place), own.end());
    return count;
  }
  std::int32_t more[64];
  for (std::size_t read = 1; count <= std::max(enough, own.size()) && read > 0; count += read) read = reader.Read(more);
  return count;
}

EncodedPair Pairs::Encode(std::string_view text, std::int32_t* ids) {
  TokenReader reader(tokenizer_, {}, text);
  const std::size_t count = Read(reader, second_, first_count_), room = this->room();
  const bool all = cut_ == Cut::kAll, left = !all && tokenizer_.truncates_left();
  const PairShare kept =
      all ? PairShare{std::min(first_count_, room), std::min(count, room)} : ShareRoom(first_count_, count, room);
  // Of what the buffers hold, the end where the last tokens are kept.
  const std::size_t first_skipped = left ? std::min(first_count_, room) - kept.first : 0;
  const std::size_t second_skipped = left ? std::min(count, room) - kept.second : 0;
  BoundedWriter writer = {ids, ids + max_tokens_};
  writer.Add(tokenizer_.prefix().data(), tokenizer_.num_prefix());
  writer.Add(first_ + first_skipped, kept.first);
  writer.Add(tokenizer_.middle().data(), tokenizer_.middle().size());
  const auto second = static_cast<std::size_t>(writer.next - ids);
  writer.Add(second_ + second_skipped, kept.second);
  writer.Add(tokenizer_.suffix().data(), tokenizer_.suffix().size());
  return {.tokens = static_cast<std::size_t>(writer.next - ids),
          .second = second,
          .truncated = first_count_ + count + tokenizer_.num_pair_special() > max_tokens_};
}

std::size_t Pairs::Count(std::string_view text) const {
  return first_count_ + tokenizer_.Count({}, text) + tokenizer_.middle().size();
}

}  // namespace thimble::text
