// Pools: jobs on leases.

#include "thimble/pool.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/guard.h"
#include "c/job.h"
#include "c/values.h"
#include "cli/info_values.h"
#include "json/value.h"
#include "thimble/receipt.h"
#include "thimble/vocabulary.h"

struct thimble_pool {
  std::shared_ptr<thimble::ModelPool> pool;
  std::shared_ptr<thimble::runtime::Executor> executor;
  std::size_t threads;  // Of a call.
  thimble::Truncation truncation;
};

namespace thimble::c {
namespace {

// A call of the pool takes so many texts for each thread, and so many bytes, so that calls of others have their turn.
constexpr std::size_t kCallTexts = 64;
constexpr std::size_t kCallBytes = 16 << 10;

// The end of the part of `texts` that begins at `begin`.
std::size_t PartEnd(const std::vector<std::string_view>& texts, std::size_t begin, std::size_t threads) {
  std::size_t end = begin, bytes = 0;
  while (end < texts.size() && end - begin < kCallTexts * threads && (end == begin || bytes < kCallBytes * threads)) {
    bytes += texts[end++].size();
  }
  return end;
}

// What a job on a pool needs of it; jobs outlive the handle.
struct Place {
  std::shared_ptr<ModelPool> pool;
  std::string model, dtype;
  std::size_t threads;

  Result<Lease> Acquire() const { return pool->Acquire(model, dtype); }
};

// Starts the job of work(place, task, found).
template <typename Work>
thimble_job* Start(thimble_pool* pool, const char* model, const char* dtype, Work work) {
  thimble_job* job = nullptr;
  const Status status = base::Guarded([&]() -> Status {
    if (pool == nullptr || model == nullptr) {
      return Error(Code::kInvalidArgument, pool == nullptr ? "pool" : "model", ": expected one, found NULL");
    }
    Place place = {.pool = pool->pool, .model = model, .dtype = ToString(dtype), .threads = pool->threads};
    job = StartJob(pool->executor, [place = std::move(place), work = std::move(work)](Task& task, Found& found) {
      return work(place, task, found);
    });
    return Status();
  });
  return status.ok() ? job : FailedJob(status);
}

Status Encode(const Place& place, Task& task, const std::vector<std::string_view>& texts, const Wanted& wanted,
              std::byte* vectors, std::size_t vectors_bytes, thimble_report* reports) {
  THIMBLE_ASSIGN_OR_RETURN(Lease lease, place.Acquire());
  const ModelInfo& info = lease.model().info();
  THIMBLE_ASSIGN_OR_RETURN(const CodeRange range, FindCodeRange(info, wanted.precision, wanted.options));
  const std::size_t dimensions = wanted.options.dimensions.value_or(info.dimensions);
  const std::size_t row_bytes = PrecisionBytes(wanted.precision, dimensions);
  if (row_bytes == 0 || vectors_bytes / row_bytes != texts.size() || vectors_bytes % row_bytes != 0) {
    return Error(Code::kInvalidArgument, "vectors: expected ", texts.size(), " x ", row_bytes, " bytes, found ",
                 vectors_bytes);
  }
  const bool floats = wanted.precision == Precision::kFloat32;
  std::vector<Report> found;
  std::vector<float> part;
  VectorOptions options = wanted.options;
  options.stop = &task.cancelled();
  for (std::size_t begin = 0; begin < texts.size();) {
    if (task.cancelled()) return Cancelled();
    const std::size_t end = PartEnd(texts, begin, place.threads), count = end - begin;
    found.assign(reports == nullptr ? 0 : count, {});
    if (!floats) part.resize(count * dimensions);
    const std::span<float> into =
        floats ? std::span(reinterpret_cast<float*>(vectors) + begin * dimensions, count * dimensions)
               : std::span(part);
    options.first_index = wanted.options.first_index + begin;
    THIMBLE_RETURN_IF_ERROR(lease.EmbedBatch(std::span(texts).subspan(begin, count), into, found, options));
    if (!floats) {
      THIMBLE_RETURN_IF_ERROR(
          Quantize(part, dimensions, wanted.precision, range, {vectors + begin * row_bytes, count * row_bytes}));
    }
    for (std::size_t i = 0; i < found.size(); ++i) reports[begin + i] = FromReport(found[i]);
    begin = end;
  }
  return Status();
}

Status Rank(const Place& place, Task& task, std::string_view query, const std::vector<std::string_view>& documents,
            RankOptions options, float* scores, std::size_t scores_count) {
  THIMBLE_ASSIGN_OR_RETURN(Lease lease, place.Acquire());
  const std::size_t each = lease.num_scores();
  if (each != 0 && scores_count != documents.size() * each) {
    return Error(Code::kInvalidArgument, "scores: expected ", documents.size(), " x ", each, " floats, found ",
                 scores_count);
  }
  const std::size_t first_index = options.first_index;
  options.stop = &task.cancelled();
  for (std::size_t begin = 0; begin < documents.size() || begin == 0;) {
    if (task.cancelled()) return Cancelled();
    const std::size_t end = PartEnd(documents, begin, place.threads);
    options.first_index = first_index + begin;
    THIMBLE_RETURN_IF_ERROR(lease.Rank(query, std::span(documents).subspan(begin, end - begin),
                                       {scores + begin * each, (end - begin) * each}, {}, options));
    if (end == documents.size()) break;
    begin = end;
  }
  return Status();
}

Status Tokenize(const Place& place, Task& task, const std::vector<std::string_view>& texts, TokenizeOptions options,
                Found& found) {
  THIMBLE_ASSIGN_OR_RETURN(const Lease lease, place.Acquire());
  if (options.max_tokens == 0) options.max_tokens = lease.max_tokens();
  found.offsets = {0};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i % kCallTexts == 0 && task.cancelled()) return Cancelled();
    const Result<Tokens> tokens = lease.model().Tokenize(texts[i], options);
    if (!tokens.ok()) return tokens.status();
    found.ids.insert(found.ids.end(), tokens->ids.begin(), tokens->ids.end());
    found.offsets.push_back(found.ids.size());
  }
  return Status();
}

Status Decode(const Place& place, const IdLists& lists, bool skip_special, Found& found) {
  THIMBLE_ASSIGN_OR_RETURN(const Lease lease, place.Acquire());
  THIMBLE_ASSIGN_OR_RETURN(const std::vector<TokenText> tokens, TokenTexts(lease.model(), lists.ids));
  json::Array texts;
  for (std::size_t i = 0; i + 1 < lists.offsets.size(); ++i) {
    const auto list = std::span(tokens).subspan(lists.offsets[i], lists.offsets[i + 1] - lists.offsets[i]);
    texts.push_back(DecodeTokens(list, skip_special));
  }
  found.text = json::Value(std::move(texts)).Text();
  return Status();
}

Status ReadVocabulary(const Place& place, std::optional<std::vector<std::int32_t>> ids, Found& found) {
  THIMBLE_ASSIGN_OR_RETURN(const Lease lease, place.Acquire());
  THIMBLE_ASSIGN_OR_RETURN(const SpecialIds special, FindSpecialIds(lease.model()));
  if (!ids) {
    ids.emplace(lease.model().info().vocabulary);
    std::iota(ids->begin(), ids->end(), 0);
  }
  THIMBLE_ASSIGN_OR_RETURN(std::vector<TokenText> tokens, TokenTexts(lease.model(), *ids));
  constexpr std::int32_t kAny[] = {0};
  THIMBLE_ASSIGN_OR_RETURN(const std::vector<TokenText> any, TokenTexts(lease.model(), kAny));
  constexpr const char* kJoinings[] = {"wordpiece", "metaspace", "byte_level"};
  json::Array entries;
  for (TokenText& token : tokens) entries.push_back(std::move(token.text));
  json::Object roles;
  for (const auto& [name, id] :
       {std::pair("cls", special.cls), std::pair("sep", special.sep), std::pair("unk", special.unk),
        std::pair("pad", special.pad), std::pair("mask", special.mask)}) {
    if (id) roles[name] = *id;
  }
  found.text = json::Value(json::Object{{"entries", std::move(entries)},
                                        {"special_ids", std::move(roles)},
                                        {"joining", kJoinings[static_cast<std::size_t>(any[0].joining)]}})
                   .Text();
  return Status();
}

Status Describe(const Place& place, const Wanted& wanted, Found& found) {
  THIMBLE_ASSIGN_OR_RETURN(const Lease lease, place.Acquire());
  THIMBLE_ASSIGN_OR_RETURN(json::Object values, cli::InfoValues(lease.model(), wanted.options, wanted.precision));
  values["effective_max_tokens"] = lease.max_tokens();
  values["num_scores"] = lease.num_scores();
  found.text = json::Value(std::move(values)).Text();
  return Status();
}

Status FindPercentile(const Place& place, const Wanted& wanted, double cosine, Found& found) {
  THIMBLE_ASSIGN_OR_RETURN(const Lease lease, place.Acquire());
  const ModelInfo& info = lease.model().info();
  const bool floats = wanted.precision == Precision::kFloat32 || wanted.precision == Precision::kFloat16;
  const bool whole = wanted.options.dimensions.value_or(info.dimensions) == info.dimensions;
  const bool own = !wanted.options.pooling || info.pooling == std::vector{*wanted.options.pooling};
  if (!floats || !whole || !own) return Status();
  THIMBLE_ASSIGN_OR_RETURN(const std::optional<Receipt> receipt, ReadReceipt(lease.model()));
  if (!receipt || !receipt->unrelated) return Status();
  char number[32];
  std::snprintf(number, sizeof number, "%.17g", Percentile(*receipt->unrelated, cosine));
  found.text = number;
  return Status();
}

}  // namespace
}  // namespace thimble::c

using namespace thimble::c;
using thimble::Code;
using thimble::Status;

thimble_code thimble_pool_open(const thimble_pool_options* options, thimble_pool** pool, thimble_text* error) {
  *pool = nullptr;
  const Status status = thimble::base::Guarded([&]() -> Status {
    THIMBLE_ASSIGN_OR_RETURN(const thimble::PoolOptions given, ToPoolOptions(options));
    THIMBLE_ASSIGN_OR_RETURN(thimble::ModelPool made, thimble::ModelPool::Create(given));
    *pool = new thimble_pool{.pool = std::make_shared<thimble::ModelPool>(std::move(made)),
                             .executor = thimble::runtime::Executor::Shared(),
                             .threads = given.embedder.threads,
                             .truncation = given.embedder.truncation};
    return Status();
  });
  return Give(status, error);
}

void thimble_pool_close(thimble_pool* pool) { delete pool; }

thimble_job* thimble_pool_encode(thimble_pool* pool, const char* model, const char* dtype, const thimble_texts* texts,
                                 const thimble_encode_options* options, void* vectors, size_t vectors_bytes,
                                 thimble_report* reports) {
  return With(ToViews(texts, "texts"), [&](const auto& views) {
    return With(ToWanted(options), [&](const Wanted& wanted) {
      return Start(pool, model, dtype, [=](const Place& place, Task& task, Found&) {
        return Encode(place, task, views, wanted, static_cast<std::byte*>(vectors), vectors_bytes, reports);
      });
    });
  });
}

thimble_job* thimble_pool_encode_tokens(thimble_pool* pool, const char* model, const char* dtype,
                                        const thimble_texts* text) {
  if (text == nullptr || text->count != 1) return FailedJob(Status(Code::kInvalidArgument, "text: expected one text"));
  return With(ToViews(text, "text"), [&](const auto& views) {
    return Start(pool, model, dtype, [=](const Place& place, Task& task, Found& found) -> Status {
      THIMBLE_ASSIGN_OR_RETURN(thimble::Lease lease, place.Acquire());
      found.columns = lease.model().info().token_dimensions;
      found.vectors.resize(lease.max_tokens() * found.columns);
      THIMBLE_ASSIGN_OR_RETURN(const thimble::Report report,
                               lease.EmbedTokens(views[0], found.vectors, &task.cancelled()));
      found.rows = report.tokens;
      found.vectors.resize(found.rows * found.columns);
      return Status();
    });
  });
}

thimble_job* thimble_pool_rank(thimble_pool* pool, const char* model, const char* dtype, const thimble_texts* query,
                               const thimble_texts* documents, const thimble_rank_options* options, float* scores,
                               size_t scores_count) {
  if (query == nullptr || query->count != 1)
    return FailedJob(Status(Code::kInvalidArgument, "query: expected one text"));
  return With(ToViews(query, "query"), [&](const auto& queries) {
    return With(ToViews(documents, "documents"), [&](const auto& views) {
      return With(ToRankOptions(options), [&](const thimble::RankOptions& wanted) {
        return Start(pool, model, dtype, [=](const Place& place, Task& task, Found&) {
          return Rank(place, task, queries[0], views, wanted, scores, scores_count);
        });
      });
    });
  });
}

thimble_job* thimble_pool_tokenize(thimble_pool* pool, const char* model, const char* dtype, const thimble_texts* texts,
                                   const thimble_tokenize_options* options) {
  const auto read = [&]() -> thimble::Result<thimble::TokenizeOptions> {
    thimble_tokenize_options from;
    THIMBLE_RETURN_IF_ERROR(ReadOptions(options, from));
    thimble::TokenizeOptions wanted;
    if (from.prompt_name != nullptr) wanted.prompt_name = from.prompt_name;
    THIMBLE_ASSIGN_OR_RETURN(const auto truncate, ToChoice(from.truncate, "truncate"));
    THIMBLE_ASSIGN_OR_RETURN(const auto special_tokens, ToChoice(from.special_tokens, "special_tokens"));
    wanted.truncate = truncate.value_or(true);
    wanted.special_tokens = special_tokens.value_or(true);
    wanted.max_tokens = from.max_tokens;
    if (pool != nullptr) wanted.truncation = pool->truncation;
    return wanted;
  };
  return With(ToViews(texts, "texts"), [&](const auto& views) {
    return With(read(), [&](const thimble::TokenizeOptions& wanted) {
      return Start(pool, model, dtype, [=](const Place& place, Task& task, Found& found) {
        return Tokenize(place, task, views, wanted, found);
      });
    });
  });
}

thimble_job* thimble_pool_decode(thimble_pool* pool, const char* model, const char* dtype, const thimble_ids* ids,
                                 int32_t skip_special_tokens) {
  return With(ToLists(ids), [&](const IdLists& lists) {
    return Start(pool, model, dtype, [=](const Place& place, Task&, Found& found) {
      return Decode(place, lists, skip_special_tokens != 0, found);
    });
  });
}

thimble_job* thimble_pool_vocabulary(thimble_pool* pool, const char* model, const char* dtype, const int32_t* ids,
                                     size_t count) {
  const auto read = [&]() -> thimble::Result<std::optional<std::vector<std::int32_t>>> {
    if (ids == nullptr) return std::optional<std::vector<std::int32_t>>();
    return std::optional(std::vector(ids, ids + count));
  };
  return With(read(), [&](const auto& wanted) {
    return Start(pool, model, dtype,
                 [=](const Place& place, Task&, Found& found) { return ReadVocabulary(place, wanted, found); });
  });
}

thimble_job* thimble_pool_describe(thimble_pool* pool, const char* model, const char* dtype,
                                   const thimble_encode_options* options) {
  return With(ToWanted(options), [&](const Wanted& wanted) {
    return Start(pool, model, dtype,
                 [=](const Place& place, Task&, Found& found) { return Describe(place, wanted, found); });
  });
}

thimble_job* thimble_pool_percentile(thimble_pool* pool, const char* model, const char* dtype,
                                     const thimble_encode_options* options, double cosine) {
  return With(ToWanted(options), [&](const Wanted& wanted) {
    return Start(pool, model, dtype,
                 [=](const Place& place, Task&, Found& found) { return FindPercentile(place, wanted, cosine, found); });
  });
}

thimble_job* thimble_pool_plan(thimble_pool* pool, const char* model, const char* dtype) {
  return Start(pool, model, dtype, [](const Place& place, Task&, Found& found) -> Status {
    THIMBLE_ASSIGN_OR_RETURN(const thimble::Plan plan, place.pool->MakePlan(place.model, place.dtype));
    found.text = thimble::json::Value(thimble::json::Object{
                                          {"mapped_bytes", plan.mapped_bytes},
                                          {"fixed_bytes", plan.fixed_bytes},
                                          {"scratch_bytes_per_thread", plan.scratch_bytes},
                                          {"threads", plan.threads},
                                          {"peak_bytes", plan.peak_bytes},
                                          {"max_tokens", plan.max_tokens},
                                          {"tile_tokens", plan.tile_tokens},
                                      })
                     .Text();
    return Status();
  });
}

thimble_job* thimble_pool_unload(thimble_pool* pool, const char* model, const char* dtype) {
  return Start(pool, model, dtype, [](const Place& place, Task&, Found&) {
    place.pool->Unload(place.model, place.dtype);
    return Status();
  });
}

thimble_job* thimble_pool_pin(thimble_pool* pool, const char* model, const char* dtype, int32_t pin) {
  return Start(pool, model, dtype, [pin](const Place& place, Task&, Found&) {
    if (pin != 0) return place.pool->Pin(place.model, place.dtype);
    place.pool->Unpin(place.model, place.dtype);
    return Status();
  });
}

thimble_code thimble_pool_stats(thimble_pool* pool, thimble_text* text) {
  std::string found;
  const Status status = thimble::base::Guarded([&]() -> Status {
    if (pool == nullptr) return Error(Code::kInvalidArgument, "pool: expected one, found NULL");
    THIMBLE_ASSIGN_OR_RETURN(const thimble::PoolStats stats, pool->pool->Stats());
    thimble::json::Array models;
    for (const thimble::ModelStats& model : stats.models) {
      models.push_back(thimble::json::Object{
          {"name", model.name},
          {"dtype", model.dtype},
          {"mapped_bytes", model.mapped_bytes},
          {"private_bytes", model.private_bytes},
          {"leases", model.leases},
          {"uses", model.uses},
          {"pinned", model.pinned},
          {"idle_ms", model.idle.count()},
      });
    }
    thimble::json::Object object = {
        {"max_memory", stats.max_memory}, {"used_memory", stats.used_memory}, {"peak_memory", stats.peak_memory},
        {"loads", stats.loads},           {"unloads", stats.unloads},         {"refusals", stats.refusals},
    };
    if (stats.cache) {
      object["cache"] = thimble::json::Object{
          {"hits", stats.cache->hits}, {"misses", stats.cache->misses}, {"writes", stats.cache->writes}};
    }
    object["models"] = std::move(models);
    found = thimble::json::Value(std::move(object)).Text();
    return Status();
  });
  return Give(status, text, found);
}
