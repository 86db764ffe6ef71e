// Texts of ids, and the decoder.

#include "thimble/vocabulary.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "runtime/engine.h"
#include "text/byte_level.h"
#include "text/utf8.h"

namespace thimble::inline v0_1 {
namespace {

constexpr std::string_view kContinuation = "##";
// What the decoder of `tokenizers` does to each token behind its space.
constexpr std::pair<std::string_view, std::string_view> kCleanups[] = {
    {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
    {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

void AddWordPiece(std::string piece, bool first, std::string& text) {
  if (!first) {
    if (piece.starts_with(kContinuation)) {
      piece.erase(0, kContinuation.size());
    } else {
      piece.insert(0, 1, ' ');
    }
  }
  for (const auto& [from, to] : kCleanups) ReplaceAll(piece, from, to);
  text += piece;
}

// The spaces that a text begins with are the tokenizer's own.
void AddMetaspace(std::string piece, bool first, std::string& text) {
  ReplaceAll(piece, "\xE2\x96\x81", first ? "" : " ");
  text += piece;
}

// The bytes that the characters stand for, or the entry itself where one of them stands for none, as added tokens do.
void AddBytes(std::string_view entry, std::string& text) {
  const std::size_t begin = text.size();
  const auto* next = reinterpret_cast<const std::uint8_t*>(entry.data());
  for (const std::uint8_t* end = next + entry.size(); next != end;) {
    const std::optional<std::uint8_t> byte = text::ByteOfCharacter(text::DecodeUtf8(next, end));
    if (!byte) {
      text.replace(begin, std::string::npos, entry);
      return;
    }
    text += static_cast<char>(*byte);
  }
}

std::string ToUtf8(std::string_view bytes) {
  std::string text;
  const auto* next = reinterpret_cast<const std::uint8_t*>(bytes.data());
  for (const std::uint8_t* end = next + bytes.size(); next != end;) {
    std::uint8_t utf8[4];
    text.append(reinterpret_cast<const char*>(utf8), text::EncodeUtf8(text::DecodeUtf8(next, end), utf8));
  }
  return text;
}

}  // namespace

Result<std::vector<TokenText>> TokenTexts(const Model& model, std::span<const std::int32_t> ids) {
  return base::Guarded([&]() -> Result<std::vector<TokenText>> {
    THIMBLE_RETURN_IF_ERROR(runtime::CheckIds(model.info(), ids));
    return model.engine().TokenTexts(ids);
  });
}

Result<SpecialIds> FindSpecialIds(const Model& model) {
  return base::Guarded([&] { return model.engine().FindSpecialIds(); });
}

std::string DecodeTokens(std::span<const TokenText> tokens, bool skip_special) {
  std::string text;
  bool first = true;
  for (const TokenText& token : tokens) {
    if (skip_special && token.control) continue;
    const bool begins = std::exchange(first, false);
    switch (token.joining) {
      case Joining::kWordPiece:
        AddWordPiece(token.text, begins, text);
        break;
      case Joining::kMetaspace:
        AddMetaspace(token.text, begins, text);
        break;
      case Joining::kByteLevel:
        AddBytes(token.text, text);
    }
  }
  const bool bytes = !tokens.empty() && tokens[0].joining == Joining::kByteLevel;
  return bytes ? ToUtf8(text) : text;
}

}  // namespace thimble::inline v0_1
