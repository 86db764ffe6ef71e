// Texts of ids, and the decoder.

#include "thimble/vocabulary.h"

#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "runtime/engine.h"

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

}  // namespace thimble::inline v0_1
