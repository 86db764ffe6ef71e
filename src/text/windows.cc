// Cutting a stream of tokens into windows.

#include "text/windows.h"

#include <algorithm>
#include <cstring>

namespace thimble::text {

WindowShape::WindowShape(const Tokenizer& tokenizer, std::size_t max_tokens, base::Arena& arena)
    : tokenizer_(tokenizer),
      max_tokens_(max_tokens),
      prompt_ids_(arena.Take<std::int32_t>(max_tokens)),
      ids_(arena.Take<std::int32_t>(max_tokens)),
      begins_word_(arena.Take<std::uint8_t>(max_tokens)) {}

bool WindowShape::SetPrompt(std::string_view prompt) {
  const std::size_t most = max_tokens_ - tokenizer_.num_special();
  prompt_ = prompt;
  // A space before a word that is part of its first token comes with that token.
  if (tokenizer_.kind().joining() != Joining::kWordPiece) {
    prompt.remove_suffix(prompt.size() - (prompt.find_last_not_of(' ') + 1));
  }
  prompt_tokens_ = TokenReader(tokenizer_, {}, prompt).Read({prompt_ids_, most});
  return prompt_tokens_ < most;
}

Windows::Windows(WindowShape& shape, std::string_view text, std::size_t overlap)
    : shape_(shape),
      reader_(shape.tokenizer_, shape.prompt_, text),
      overlap_(overlap),
      tokens_(shape.tokenizer_.num_special() + shape.prompt_tokens_) {}

std::size_t Windows::Next(std::int32_t* ids) {
  if (done_) return 0;
  const std::size_t room = shape_.room(), prompt = shape_.prompt_tokens_;
  std::int32_t* own = shape_.ids_;  // [room]
  std::uint8_t* begins_word = shape_.begins_word_;
  std::int32_t* out = ids + shape_.tokenizer_.num_prefix();
  if (first_) {
    // The prompt is read as part of the text, with which its last word may join.
    const std::size_t read = reader_.Read({out, prompt});
    if (read < prompt) {
      done_ = true;
      tokens_ -= prompt - read;
      return shape_.tokenizer_.AddSpecial(ids, read);
    }
    first_ = false;
  } else {
    std::memcpy(out, shape_.prompt_ids_, prompt * sizeof(std::int32_t));
  }
  const std::size_t count = held_ + reader_.Read({own + held_, room - held_}, begins_word + held_);
  done_ = reader_.AtEnd();
  std::size_t end = count;
  if (!done_ && !reader_.AtWord()) {
    // The word that does not fit goes into the next window, if there is anything new without it.
    while (end > shared_ && begins_word[end - 1] == 0) --end;
    if (end > shared_) --end;
    if (end <= shared_) end = count;
  }
  std::memcpy(out + prompt, own, end * sizeof(std::int32_t));
  tokens_ += end - shared_;
  if (done_) return shape_.tokenizer_.AddSpecial(ids, prompt + end);

  std::size_t begin = end - std::min(end, overlap_);
  while (begin < end && begins_word[begin] == 0) ++begin;
  begin = std::max<std::size_t>(begin, 1);
  held_ = count - begin;
  shared_ = end - begin;
  std::memmove(own, own + begin, held_ * sizeof(std::int32_t));
  std::memmove(begins_word, begins_word + begin, held_);
  return shape_.tokenizer_.AddSpecial(ids, prompt + end);
}

}  // namespace thimble::text
