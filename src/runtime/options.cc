// What the options of a call come to for a model, and their names.

#include <algorithm>
#include <string>

#include "base/error.h"
#include "runtime/engine.h"

namespace thimble::inline v0_1 {
namespace {

// Windows share an eighth: enough that what one cuts off is whole in the next.
constexpr std::size_t kOverlapShare = 8;

}  // namespace

std::string_view TruncationName(Truncation truncation) {
  switch (truncation) {
    case Truncation::kSentenceTransformers:
      return "sentence-transformers";
    case Truncation::kTransformersJs:
      return "transformers.js";
    case Truncation::kTokenizers:
      return "tokenizers";
  }
  return "";
}

Result<Truncation> ParseTruncation(std::string_view name) {
  for (Truncation truncation :
       {Truncation::kSentenceTransformers, Truncation::kTransformersJs, Truncation::kTokenizers}) {
    if (name == TruncationName(truncation)) return truncation;
  }
  return Error(Code::kInvalidArgument, "unknown truncation \"", name,
               "\", expected sentence-transformers, transformers.js or tokenizers");
}

std::string_view LoadName(Load load) { return load == Load::kMap ? "map" : "copy"; }

Result<Load> ParseLoad(std::string_view name) {
  for (Load load : {Load::kMap, Load::kCopy}) {
    if (name == LoadName(load)) return load;
  }
  return Error(Code::kInvalidArgument, "unknown `load` \"", name, "\", expected map or copy");
}

std::string_view LongTextsName(LongTexts long_texts) {
  switch (long_texts) {
    case LongTexts::kTruncate:
      return "truncate";
    case LongTexts::kError:
      return "error";
    case LongTexts::kChunk:
      return "chunk";
  }
  return "";
}

Result<LongTexts> ParseLongTexts(std::string_view name) {
  for (LongTexts long_texts : {LongTexts::kTruncate, LongTexts::kError, LongTexts::kChunk}) {
    if (name == LongTextsName(long_texts)) return long_texts;
  }
  return Error(Code::kInvalidArgument, "unknown `long_texts` \"", name, "\", expected truncate, error or chunk");
}

Result<std::size_t> ResolveMaxTokens(const Model::Impl& model, std::size_t requested, Truncation truncation) {
  const ModelInfo& info = model.info();
  std::size_t limit = requested;
  if (limit == 0) {
    switch (truncation) {
      case Truncation::kSentenceTransformers:
        limit = info.max_tokens;
        break;
      case Truncation::kTransformersJs:
        limit = info.model_max_length;
        break;
      case Truncation::kTokenizers:
        limit = info.tokenizers_max_tokens;
        break;
    }
  }
  if (limit > info.positions) {
    return Error(Code::kInvalidArgument, "`max_tokens`: expected at most ", info.positions, ", the positions of ",
                 info.name, ", found ", limit);
  }
  if (limit <= model.special_tokens()) {
    return Error(Code::kInvalidArgument, "`max_tokens`: ", limit, " leaves no room for text beside ",
                 model.special_tokens(), " special tokens");
  }
  return limit;
}

Result<std::string_view> FindPrompt(const ModelInfo& info, const std::optional<std::string>& wanted) {
  const std::string_view name = wanted ? std::string_view(*wanted) : info.default_prompt_name;
  if (name.empty()) return std::string_view();
  for (const Prompt& prompt : info.prompts) {
    if (prompt.name == name) return std::string_view(prompt.text);
  }
  std::string known;
  for (const Prompt& prompt : info.prompts) known += (known.empty() ? "" : ", ") + prompt.name;
  return Error(Code::kInvalidArgument, "`prompt_name`: ", info.name, " has ",
               known.empty() ? "no prompts" : "only " + known, ", found \"", name, "\"");
}

Result<std::size_t> ResolveOverlap(const Batch& batch, std::size_t max_tokens, std::size_t room) {
  if (room == 0) {
    return Error(Code::kInvalidArgument, "the prompt leaves no room for text in windows of ", max_tokens,
                 " tokens; raise `max_tokens` or use another `prompt_name`");
  }
  const std::size_t overlap = batch.chunk_overlap.value_or(std::min(max_tokens / kOverlapShare, room / 2));
  if (overlap > room / 2) {
    return Error(Code::kInvalidArgument, "`chunk_overlap`: expected at most ", room / 2, ", half of the ", room,
                 " tokens of text in a window, found ", overlap);
  }
  return overlap;
}

Status CheckIds(const ModelInfo& info, std::span<const std::int32_t> ids) {
  if (info.vocabulary == 0) return Status();
  for (std::int32_t id : ids) {
    if (id >= 0 && static_cast<std::size_t>(id) < info.vocabulary) continue;
    return Error(Code::kInvalidArgument, "token id ", id, ": ", info.name, " has ids from 0 to below ",
                 info.vocabulary);
  }
  return Status();
}

Status TooLong(const Batch& batch, std::size_t index, std::size_t tokens, std::size_t max_tokens) {
  return Error(Code::kInvalidArgument, "texts[", batch.first_index + index, "]: ", tokens, " tokens, the limit is ",
               max_tokens, "; set `long_texts` to truncate or chunk to embed it");
}

}  // namespace thimble::inline v0_1
