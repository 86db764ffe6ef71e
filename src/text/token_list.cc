// Collecting what a TokenReader reads.

#include "text/token_list.h"

#include <algorithm>
#include <memory>
#include <span>

namespace thimble::text {
namespace {

class TokenList {
 public:
  TokenList(const Tokenizer& tokenizer, bool special, bool offsets)
      : tokenizer_(tokenizer), special_(special), ranges_(offsets ? std::make_unique<TokenRanges>() : nullptr) {}

  TableSpan<std::uint32_t> prefix() const { return special_ ? tokenizer_.prefix() : TableSpan<std::uint32_t>(); }
  TableSpan<std::uint32_t> suffix() const { return special_ ? tokenizer_.suffix() : TableSpan<std::uint32_t>(); }

  void AddPrefix() { AddSpecial(prefix()); }
  void AddSuffix() { AddSpecial(suffix()); }

  // Adds the text's own tokens, at most `most`, the last ones where `last`. Returns whether there were more.
  bool AddText(std::string_view prompt, std::string_view text, std::size_t most, bool last) {
    TokenReader reader(tokenizer_, prompt, text, ranges_.get());
    const std::size_t begin = tokens_.ids.size();
    std::int32_t ids[kRead];
    ByteRange ranges[kRead];
    for (std::size_t left = most, read = 1; read > 0; left -= last ? 0 : read) {
      read = reader.Read(std::span(ids).first(std::min(left, kRead)), nullptr, ranges_ ? ranges : nullptr);
      tokens_.ids.insert(tokens_.ids.end(), ids, ids + read);
      if (ranges_) tokens_.offsets.insert(tokens_.offsets.end(), ranges, ranges + read);
    }
    const std::size_t count = tokens_.ids.size() - begin;
    if (count <= most) return !reader.AtEnd();
    EraseFrom(tokens_.ids, begin, count - most);
    EraseFrom(tokens_.offsets, begin, ranges_ ? count - most : 0);
    return true;
  }

  void AddTypes(std::uint8_t type) { tokens_.type_ids.resize(tokens_.ids.size(), type); }

  // Takes all but the first `most`; returns whether there were more.
  bool Limit(std::size_t most) {
    if (tokens_.ids.size() <= most) return false;
    tokens_.ids.resize(most);
    if (ranges_) tokens_.offsets.resize(most);
    return true;
  }

  Tokens Take(bool truncated) {
    tokens_.truncated = truncated;
    return std::move(tokens_);
  }

 private:
  static constexpr std::size_t kRead = 256;  // Tokens at a time.

  template <typename T>
  static void EraseFrom(std::vector<T>& values, std::size_t begin, std::size_t count) {
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(begin);
    values.erase(first, first + static_cast<std::ptrdiff_t>(count));
  }

  void AddSpecial(TableSpan<std::uint32_t> ids) {
    for (std::uint32_t id : ids) tokens_.ids.push_back(static_cast<std::int32_t>(id));
    if (ranges_) tokens_.offsets.resize(tokens_.ids.size());
  }

  const Tokenizer& tokenizer_;
  const bool special_;
  const std::unique_ptr<TokenRanges> ranges_;  // Where offsets are wanted.
  Tokens tokens_;
};

}  // namespace

Tokens ListTokens(const Tokenizer& tokenizer, std::string_view prompt, std::string_view text,
                  const ListOptions& options) {
  TokenList list(tokenizer, options.special, options.offsets);
  const bool keeps_suffix = options.cut == Cut::kText;
  const std::size_t room = options.max_tokens - list.prefix().size() - (keeps_suffix ? list.suffix().size() : 0);
  list.AddPrefix();
  bool truncated = list.AddText(prompt, text, room, keeps_suffix && tokenizer.truncates_left());
  list.AddSuffix();
  if (options.pair) {
    list.AddTypes(0);
    list.AddText({}, *options.pair, options.max_tokens, false);
    list.AddSuffix();
    list.AddTypes(1);
  }
  truncated |= list.Limit(options.max_tokens);
  return list.Take(truncated);
}

}  // namespace thimble::text
