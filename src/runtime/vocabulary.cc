// Texts of ids, and the decoder.

#include "thimble/vocabulary.h"

#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "runtime/engine.h"

namespace thimble {
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

}  // namespace

Result<std::vector<TokenText>> TokenTexts(const Model& model, std::span<const std::int32_t> ids) {
  return Guarded([&]() -> Result<std::vector<TokenText>> {
    if (model.impl().reader() == nullptr) {
      return Error(Code::kUnsupported, model.info().name, ": a mock has no vocabulary");
    }
    for (std::int32_t id : ids) {
      if (id < 0 || static_cast<std::size_t>(id) >= model.info().vocabulary) {
        return Error(Code::kInvalidArgument, "token id: ", model.info().name, " has ids from 0 to ",
                     model.info().vocabulary - 1, ", found ", id);
      }
    }
    return model.impl().TokenTexts(ids);
  });
}

std::string DecodeTokens(std::span<const TokenText> tokens, bool skip_special) {
  std::string text;
  bool first = true;
  for (const TokenText& token : tokens) {
    if (skip_special && token.special) continue;
    std::string piece = token.text;
    if (!std::exchange(first, false)) {
      if (piece.starts_with(kContinuation)) {
        piece.erase(0, kContinuation.size());
      } else {
        piece.insert(0, 1, ' ');
      }
    }
    for (const auto& [from, to] : kCleanups) ReplaceAll(piece, from, to);
    text += piece;
  }
  return text;
}

}  // namespace thimble
