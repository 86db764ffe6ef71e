// Conversions, field by field.

#include "c/values.h"

#include <chrono>
#include <cstdlib>
#include <utility>

#include "base/guard.h"
#include "base/option_names.h"
#include "base/processors.h"

namespace thimble::c {

thimble_code Give(const Status& status, thimble_text* text, std::string_view value) {
  if (text != nullptr) {
    std::string message;
    const Status named = base::Guarded([&] {
      message = base::WithOptionNames(status.message(), base::OptionNames::kC);
      return Status();
    });
    const std::string_view given = status.ok() ? value : named.ok() ? message : status.message();
    thimble_text_free(text);
    text->data = static_cast<char*>(std::malloc(given.size() + 1));
    if (text->data == nullptr) return status.ok() ? THIMBLE_OUT_OF_MEMORY : static_cast<thimble_code>(status.code());
    if (!given.empty()) std::memcpy(text->data, given.data(), given.size());
    text->data[given.size()] = '\0';
    text->size = given.size();
  }
  return static_cast<thimble_code>(status.code());
}

Result<std::vector<std::string_view>> ToViews(const thimble_texts* texts, std::string_view what) {
  std::vector<std::string_view> views;
  if (texts == nullptr || texts->count == 0) return views;
  views.reserve(texts->count);
  for (std::size_t i = 0; i < texts->count; ++i) {
    const std::uint64_t begin = texts->offsets[i], end = texts->offsets[i + 1];
    if (end < begin) {
      return Error(Code::kInvalidArgument, what, ": expected ascending offsets, found ", begin, " before ", end, " at ",
                   i);
    }
    views.emplace_back(begin == end ? "" : texts->data + begin, end - begin);
  }
  return views;
}

Result<IdLists> ToLists(const thimble_ids* given) {
  IdLists lists = {.ids = {}, .offsets = {0}};
  for (std::size_t i = 0; given != nullptr && i < given->count; ++i) {
    const std::uint64_t begin = given->offsets[i], end = given->offsets[i + 1];
    if (end < begin) {
      return Error(Code::kInvalidArgument, "ids: expected ascending offsets, found ", begin, " before ", end, " at ",
                   i);
    }
    if (begin != end) lists.ids.insert(lists.ids.end(), given->data + begin, given->data + end);
    lists.offsets.push_back(lists.ids.size());
  }
  return lists;
}

Result<std::optional<bool>> ToChoice(std::int32_t choice, std::string_view what) {
  if (choice == THIMBLE_DEFAULT) return std::optional<bool>();
  if (choice == THIMBLE_YES) return std::optional(true);
  if (choice == THIMBLE_NO) return std::optional(false);
  return Error(Code::kInvalidArgument, what, ": expected 1, 0 or -1, found ", choice);
}

std::size_t DefaultThreads() { return std::min<std::size_t>(base::UsableProcessors(), 8); }

Result<PoolOptions> ToPoolOptions(const thimble_pool_options* given) {
  thimble_pool_options from;
  THIMBLE_RETURN_IF_ERROR(ReadOptions(given, from));
  PoolOptions options;
  options.folder = ToString(from.folder);
  options.max_memory = from.max_memory;
  options.max_models = from.max_models;
  if (from.unload_after_ms < 0) options.unload_after.reset();
  if (from.unload_after_ms > 0) options.unload_after = std::chrono::milliseconds(from.unload_after_ms);
  if (from.max_wait_ms != 0) options.max_wait = std::chrono::milliseconds(std::max<std::int64_t>(from.max_wait_ms, 0));
  THIMBLE_RETURN_IF_ERROR(ReadName(from.load, ParseLoad, options.open.load));
  options.open.verify = from.verify != 0;
  if (from.threads < 0) return Error(Code::kInvalidArgument, "threads: expected 1 to 64, found ", from.threads);
  options.embedder.threads = from.threads == 0 ? DefaultThreads() : static_cast<std::size_t>(from.threads);
  options.embedder.max_memory = from.call_max_memory;
  options.embedder.max_tokens = from.max_tokens;
  THIMBLE_RETURN_IF_ERROR(ReadName(from.truncation, ParseTruncation, options.embedder.truncation));
  if (from.cache != nullptr) {
    THIMBLE_ASSIGN_OR_RETURN(options.embedder.cache, ExactCache::Open(from.cache, from.cache_bytes));
  } else if (from.cache_bytes != 0) {
    return Error(Code::kInvalidArgument, "cache_bytes: there is no cache; set `cache` to a file too");
  }
  return options;
}

Result<Wanted> ToWanted(const thimble_encode_options* given) {
  thimble_encode_options from;
  THIMBLE_RETURN_IF_ERROR(ReadOptions(given, from));
  Wanted wanted;
  THIMBLE_RETURN_IF_ERROR(ReadName(from.pooling, ParsePooling, wanted.options.pooling));
  THIMBLE_ASSIGN_OR_RETURN(wanted.options.normalize, ToChoice(from.normalize, "normalize"));
  if (from.dimensions != 0) wanted.options.dimensions = from.dimensions;
  if (from.prompt_name != nullptr) wanted.options.prompt_name = from.prompt_name;
  THIMBLE_RETURN_IF_ERROR(ReadName(from.long_texts, ParseLongTexts, wanted.options.long_texts));
  if (from.chunk_overlap != 0) {
    wanted.options.chunk_overlap = static_cast<std::size_t>(std::max<std::int64_t>(from.chunk_overlap, 0));
  }
  wanted.options.first_index = from.first_index;
  THIMBLE_RETURN_IF_ERROR(ReadName(from.precision, ParsePrecision, wanted.precision));
  wanted.timeout_ms = from.timeout_ms;
  return wanted;
}

Result<RankOptions> ToRankOptions(const thimble_rank_options* given) {
  thimble_rank_options from;
  THIMBLE_RETURN_IF_ERROR(ReadOptions(given, from));
  RankOptions options;
  options.raw_scores = from.raw_scores != 0;
  if (from.prompt_name != nullptr) options.prompt_name = from.prompt_name;
  THIMBLE_RETURN_IF_ERROR(ReadName(from.long_texts, ParseLongTexts, options.long_texts));
  options.first_index = from.first_index;
  return options;
}

thimble_report FromReport(const Report& report) {
  return {.tokens = report.tokens, .truncated = report.truncated ? 1u : 0u, .chunks = report.chunks};
}

}  // namespace thimble::c

void thimble_text_free(thimble_text* text) {
  if (text == nullptr) return;
  std::free(text->data);
  *text = {};
}

const char* thimble_version(void) { return THIMBLE_VERSION; }
