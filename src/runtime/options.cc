// What the options of a call come to for a model, and their names.

#include <algorithm>
#include <string>

#include "base/error.h"
#include "runtime/engine.h"

namespace thimble::runtime {
namespace {

// Windows share an eighth: enough that what one cuts off is whole in the next.
constexpr std::size_t kOverlapShare = 8;

// The names of an enumeration's values, in their order. No pointers, which would be relocated into private memory.
template <typename Value, std::size_t count>
struct Names {
  char what[16];  // The option, in messages.
  char names[count][24];

  std::string_view operator[](Value value) const {
    const auto place = static_cast<std::size_t>(value);
    return place < count ? names[place] : "";
  }
  Result<Value> Parse(std::string_view name) const {
    for (std::size_t i = 0; i < count; ++i) {
      if (name == names[i]) return static_cast<Value>(i);
    }
    std::string expected = names[0];
    for (std::size_t i = 1; i < count; ++i) expected.append(i + 1 < count ? ", " : " or ").append(names[i]);
    return Error(Code::kInvalidArgument, "unknown ", what, " \"", name, "\", expected ", expected);
  }
};

constexpr Names<Truncation, 3> kTruncations = {"truncation",
                                               {"sentence-transformers", "transformers.js", "tokenizers"}};
constexpr Names<Load, 2> kLoads = {"`load`", {"map", "copy"}};
constexpr Names<LongTexts, 3> kLongTexts = {"`long_texts`", {"truncate", "error", "chunk"}};

}  // namespace
}  // namespace thimble::runtime

namespace thimble::inline v0_1 {

std::string_view TruncationName(Truncation truncation) { return runtime::kTruncations[truncation]; }
Result<Truncation> ParseTruncation(std::string_view name) { return runtime::kTruncations.Parse(name); }
std::string_view LoadName(Load load) { return runtime::kLoads[load]; }
Result<Load> ParseLoad(std::string_view name) { return runtime::kLoads.Parse(name); }
std::string_view LongTextsName(LongTexts long_texts) { return runtime::kLongTexts[long_texts]; }
Result<LongTexts> ParseLongTexts(std::string_view name) { return runtime::kLongTexts.Parse(name); }

}  // namespace thimble::inline v0_1

namespace thimble::runtime {

Result<std::size_t> ResolveMaxTokens(const Engine& engine, std::size_t requested, Truncation truncation) {
  const ModelInfo& info = engine.info();
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
  if (limit <= engine.special_tokens()) {
    return Error(Code::kInvalidArgument, "`max_tokens`: ", limit, " leaves no room for text beside ",
                 engine.special_tokens(), " special tokens");
  }
  return limit;
}

Result<std::size_t> ResolveDimensions(const ModelInfo& info, std::optional<std::size_t> wanted) {
  const std::size_t dimensions = wanted.value_or(info.dimensions);
  if (dimensions >= 1 && dimensions <= info.dimensions) return dimensions;
  return Error(Code::kInvalidArgument, "`dimensions`: expected 1 to ", info.dimensions, ", the length of a vector of ",
               info.name, ", found ", dimensions);
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
  return Error(Code::kInvalidArgument, batch.what(), batch.first_index + index, "]: ", tokens, " tokens",
               batch.query ? " with the query" : "", ", the limit is ", max_tokens, "; set `long_texts` to truncate",
               batch.query ? " to score it" : " or chunk to embed it");
}

}  // namespace thimble::runtime
