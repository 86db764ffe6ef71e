// What is the same for all kinds: special tokens and truncation.

#include "text/tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace thimble::text {
namespace {

void CopyIds(TableSpan<std::uint32_t> from, std::int32_t* to) {
  for (std::uint32_t id : from) *to++ = static_cast<std::int32_t>(id);
}

}  // namespace

Result<Tokenizer> Tokenizer::Create(std::shared_ptr<Kind> kind, std::size_t vocabulary) {
  THIMBLE_RETURN_IF_ERROR(CheckAdded(kind->added, vocabulary));
  THIMBLE_RETURN_IF_ERROR(CheckTemplate(kind->around, vocabulary));
  THIMBLE_RETURN_IF_ERROR(kind->Check(vocabulary));
  return Tokenizer(std::move(kind));
}

Tokenizer::Tokenizer(std::shared_ptr<const Kind> kind) : kind_(std::move(kind)) {
  const AddedTables& added = kind_->added;
  for (std::uint32_t i = 0; i < added.raw; ++i) added_first_.set(added.text[added.begin[i]]);
}

Encoded Tokenizer::Encode(std::string_view prompt, std::string_view text, std::span<std::int32_t> ids, Cut cut) const {
  TokenReader reader(*this, prompt, text);
  if (cut == Cut::kAll) {
    const std::size_t room = ids.size() - num_special();
    const std::size_t count = reader.Read(ids.subspan(num_prefix()));
    if (count <= room) return {AddSpecial(ids.data(), count), false};
    CopyIds(prefix(), ids.data());
    CopyIds(suffix().first(ids.size() - num_prefix() - count), ids.data() + num_prefix() + count);
    return {ids.size(), true};
  }
  const std::span<std::int32_t> own = ids.subspan(num_prefix(), ids.size() - num_special());
  if (truncates_left()) return EncodeEnd(reader, own, ids);
  const std::size_t count = reader.Read(own);
  return {AddSpecial(ids.data(), count), !reader.AtEnd()};
}

Encoded Tokenizer::EncodeEnd(TokenReader& reader, std::span<std::int32_t> own, std::span<std::int32_t> ids) const {
  std::size_t count = reader.Read(own);
  if (count < own.size() || reader.AtEnd()) return {AddSpecial(ids.data(), count), false};
  // `own` is a ring from here on, whose oldest id lies at `count`.
  for (count = 0; !reader.AtEnd(); count %= own.size()) count += reader.Read(own.subspan(count));
  std::rotate(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(count), own.end());
  return {AddSpecial(ids.data(), own.size()), true};
}

std::size_t Tokenizer::Count(std::string_view prompt, std::string_view text) const {
  TokenReader reader(*this, prompt, text);
  std::int32_t ids[64];
  std::size_t count = num_special();
  while (std::size_t read = reader.Read(ids)) count += read;
  return count;
}

std::size_t Tokenizer::AddSpecial(std::int32_t* ids, std::size_t count) const {
  CopyIds(prefix(), ids);
  CopyIds(suffix(), ids + num_prefix() + count);
  return count + num_special();
}

TokenReader::TokenReader(const Tokenizer& tokenizer, std::string_view prompt, std::string_view text,
                         TokenRanges* ranges)
    : stream_(tokenizer.kind().Start({tokenizer.kind().added, tokenizer.added_first_, prompt, text}, ranges, memory_)),
      ranges_(ranges) {}

std::size_t TokenReader::Read(std::span<std::int32_t> ids, std::uint8_t* begins_word, ByteRange* ranges) {
  std::size_t count = 0;
  while (count < ids.size()) {
    if (next_ == run_.size && !NextRun()) break;
    if (begins_word != nullptr) begins_word[count] = next_ == 0 && begins_word_;
    if (ranges != nullptr) ranges[count] = ranges_->tokens[next_];
    ids[count++] = static_cast<std::int32_t>(run_.ids[next_++]);
  }
  return count;
}

bool TokenReader::NextRun() {
  begins_word_ = run_.ends_word;
  run_.size = next_ = 0;
  return stream_->Next(run_);
}

}  // namespace thimble::text
