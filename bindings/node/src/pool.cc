// Jobs on a pool, and what becomes of their results.

#include "pool.h"

#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/guard.h"
#include "environment.h"
#include "thimble/precision.h"
#include "thimble/vocabulary.h"
#include "values.h"

namespace thimble::node {
namespace {

using Outcome = Environment::Outcome;

// The pools that environments share, by their options.
std::shared_ptr<ModelPool> FindOrMake(const std::string& key, const PoolOptions& options, Status& status) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<ModelPool>> pools;
  std::lock_guard lock(mutex);
  std::erase_if(pools, [](const auto& pool) { return pool.second.expired(); });
  if (!key.empty()) {
    if (std::shared_ptr<ModelPool> pool = pools[key].lock()) return pool;
  }
  Result<ModelPool> made = ModelPool::Create(options);
  if (!made.ok()) {
    status = made.status();
    return nullptr;
  }
  auto pool = std::make_shared<ModelPool>(*std::move(made));
  if (!key.empty()) pools[key] = pool;
  return pool;
}

// How the caller wants its vectors.
struct Wanted {
  VectorOptions options;
  Precision precision = Precision::kFloat32;
};

Result<Wanted> ToWanted(Napi::Object given) {
  Wanted wanted;
  THIMBLE_ASSIGN_OR_RETURN(wanted.options, ToVectorOptions(given));
  THIMBLE_ASSIGN_OR_RETURN(wanted.precision, ToPrecision(given));
  return wanted;
}

struct Vectors {
  std::size_t element_bytes = sizeof(float);
  std::vector<std::byte> values;  // [texts][PrecisionBytes]
  std::vector<Report> reports;
};

Status EmbedTexts(ModelPool& pool, const std::string& name, const std::string& dtype,
                  const std::vector<std::string>& texts, const Wanted& wanted, Vectors& result,
                  const std::atomic<bool>* stop = nullptr) {
  THIMBLE_ASSIGN_OR_RETURN(Lease lease, pool.Acquire(name, dtype));
  const ModelInfo& info = lease.model().info();
  THIMBLE_ASSIGN_OR_RETURN(const CodeRange range, FindCodeRange(info, wanted.precision, wanted.options));
  const std::size_t dimensions = wanted.options.dimensions.value_or(info.dimensions);
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::vector<float> vectors(texts.size() * dimensions);
  result.reports.resize(texts.size());
  VectorOptions options = wanted.options;
  options.stop = stop;
  THIMBLE_RETURN_IF_ERROR(lease.EmbedBatch(views, vectors, result.reports, options));
  result.element_bytes = PrecisionBytes(wanted.precision, 1);
  result.values.resize(texts.size() * PrecisionBytes(wanted.precision, dimensions));
  return Quantize(vectors, dimensions, wanted.precision, range, result.values);
}

// Copies into a typed array, which may have been detached since the call.
Napi::Value Copy(Napi::Env env, const Vectors& result, Napi::TypedArray target, std::size_t offset) {
  const std::size_t count = result.values.size() / result.element_bytes;
  if (target.ElementSize() != result.element_bytes || offset > target.ElementLength() ||
      count > target.ElementLength() - offset) {
    const Status status(Code::kInvalidArgument, "vectors: expected room for " + std::to_string(count) +
                                                    " values from " + std::to_string(offset) + " on, found " +
                                                    std::to_string(target.ElementLength()));
    MakeError(env, status).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  if (count > 0) {
    void* data = nullptr;
    napi_get_typedarray_info(env, target, nullptr, nullptr, &data, nullptr, nullptr);
    std::memcpy(static_cast<std::byte*>(data) + offset * result.element_bytes, result.values.data(),
                result.values.size());
  }
  return FromReports(env, result.reports);
}

// The tokens of all texts, each text's behind those of the one before.
struct TokenLists {
  std::vector<std::int32_t> ids;
  std::vector<std::uint32_t> lengths;  // [texts]
  std::vector<std::uint8_t> type_ids;  // [ids]
  std::vector<std::uint32_t> offsets;  // [ids][2], where wanted
};

// `pairs` is empty, or has for each text its second one, or none.
Status TokenizeTexts(const Model& model, const std::vector<std::string>& texts,
                     const std::vector<std::optional<std::string>>& pairs, TokenizeOptions options, TokenLists& lists) {
  options.truncate = false;
  options.prompt_name = std::string();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    options.pair.reset();
    if (!pairs.empty() && pairs[i]) options.pair = *pairs[i];
    const Result<Tokens> tokens = model.Tokenize(texts[i], options);
    if (!tokens.ok()) return tokens.status();
    lists.ids.insert(lists.ids.end(), tokens->ids.begin(), tokens->ids.end());
    lists.lengths.push_back(static_cast<std::uint32_t>(tokens->ids.size()));
    lists.type_ids.insert(lists.type_ids.end(), tokens->type_ids.begin(), tokens->type_ids.end());
    lists.type_ids.resize(lists.ids.size());
    for (const ByteRange& range : tokens->offsets) {
      lists.offsets.push_back(static_cast<std::uint32_t>(range.begin));
      lists.offsets.push_back(static_cast<std::uint32_t>(range.end));
    }
  }
  return Status();
}

// Runs `work` with the model, which is loaded if need be, on this thread.
Napi::Value WithModel(const Napi::CallbackInfo& info, ModelPool& pool,
                      const std::function<Result<Napi::Value>(const Model&)>& work) {
  Result<Lease> lease = pool.Acquire(ToString(info[0]), ToString(info[1]));
  const Result<Napi::Value> value = lease.ok() ? work(lease->model()) : Result<Napi::Value>(lease.status());
  if (value.ok()) return *value;
  MakeError(info.Env(), value.status()).ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

std::uint32_t Id(const Napi::CallbackInfo& info) { return info[0].As<Napi::Number>().Uint32Value(); }

}  // namespace

Napi::Function Pool::Define(Napi::Env env) {
  return DefineClass(
      env, "Pool",
      {InstanceMethod<&Pool::Open>("open"), InstanceMethod<&Pool::MakePlan>("plan"),
       InstanceMethod<&Pool::Embed>("embed"), InstanceMethod<&Pool::EmbedTokens>("embedTokens"),
       InstanceMethod<&Pool::EmbedIds>("embedIds"), InstanceMethod<&Pool::Rank>("rank"),
       InstanceMethod<&Pool::Tokenize>("tokenize"), InstanceMethod<&Pool::SpecialTokens>("specialTokens"),
       InstanceMethod<&Pool::Vocabulary>("vocabulary"), InstanceMethod<&Pool::Unload>("unload"),
       InstanceMethod<&Pool::EmbedSync>("embedSync"), InstanceMethod<&Pool::Unpin>("unpin"),
       InstanceMethod<&Pool::Stats>("stats"), InstanceMethod<&Pool::Close>("close")});
}

Pool::Pool(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Pool>(info) {
  const Result<PoolOptions> options = ToPoolOptions(info[0].As<Napi::Object>());
  Status status = options.status();
  if (status.ok()) pool_ = FindOrMake(ToString(info[1]), *options, status);
  if (pool_ == nullptr) MakeError(info.Env(), status).ThrowAsJavaScriptException();
}

Napi::Value Pool::Open(const Napi::CallbackInfo& info) {
  Result<Wanted> wanted = info[4].IsObject() ? ToWanted(info[4].As<Napi::Object>()) : Wanted();
  auto work = [pool = pool_, name = ToString(info[1]), dtype = ToString(info[2]),
               pin = info[3].As<Napi::Boolean>().Value(), wanted = std::move(wanted)](const auto&) -> Outcome {
    if (!wanted.ok()) return {.status = wanted.status(), .value = {}};
    if (pin) {
      Status status = pool->Pin(name, dtype);
      if (!status.ok()) return {.status = status, .value = {}};
    }
    Result<Lease> lease = pool->Acquire(name, dtype);
    if (!lease.ok()) return {.status = lease.status(), .value = {}};
    // Embedding needs no receipt: a malformed one is as none. Its percentiles are of whole vectors of the model's
    // own pooling.
    Result<std::optional<Receipt>> receipt = std::optional<Receipt>();
    ModelInfo found = lease->model().info();
    const bool floats = wanted->precision == Precision::kFloat32 || wanted->precision == Precision::kFloat16;
    const bool whole = wanted->options.dimensions.value_or(found.dimensions) == found.dimensions;
    const std::optional<Pooling> pooling = wanted->options.pooling;
    const bool own = !pooling || found.pooling == std::vector{*pooling};
    if (floats && whole && own) receipt = ReadReceipt(lease->model());
    Result<std::string> fingerprint = SpaceFingerprint(found, wanted->options, wanted->precision);
    if (!fingerprint.ok()) return {.status = fingerprint.status(), .value = {}};
    found.fingerprint = *std::move(fingerprint);
    found.dimensions = wanted->options.dimensions.value_or(found.dimensions);
    return {.status = {},
            .value = [found = std::move(found), tokens = lease->max_tokens(),
                      receipt = receipt.ok() ? *receipt : std::nullopt](Napi::Env env, Napi::Value) {
              return FromInfo(env, found, tokens, receipt);
            }};
  };
  return Environment::Of(info.Env()).Run(info.Env(), Id(info), std::move(work));
}

Napi::Value Pool::MakePlan(const Napi::CallbackInfo& info) {
  auto work = [pool = pool_, name = ToString(info[1]), dtype = ToString(info[2])](const auto&) -> Outcome {
    Result<Plan> plan = pool->MakePlan(name, dtype);
    if (!plan.ok()) return {.status = plan.status(), .value = {}};
    return {.status = {}, .value = [found = *plan](Napi::Env env, Napi::Value) { return FromPlan(env, found); }};
  };
  return Environment::Of(info.Env()).Run(info.Env(), Id(info), std::move(work));
}

Napi::Value Pool::Embed(const Napi::CallbackInfo& info) {
  // Threads write into memory of their own: the caller may detach or shrink its buffer meanwhile.
  auto work = [pool = pool_, name = ToString(info[1]), dtype = ToString(info[2]), texts = ToStrings(info[3]),
               wanted = ToWanted(info[4].As<Napi::Object>()),
               offset = ToSize(info[6])](const auto& cancelled) -> Outcome {
    if (!wanted.ok()) return {.status = wanted.status(), .value = {}};
    auto result = std::make_shared<Vectors>();
    Status status = EmbedTexts(*pool, name, dtype, texts, *wanted, *result, &cancelled);
    return {.status = status, .value = [result, offset](Napi::Env env, Napi::Value target) {
              return Copy(env, *result, target.As<Napi::TypedArray>(), offset);
            }};
  };
  return Environment::Of(info.Env()).Run(info.Env(), Id(info), std::move(work), info[5]);
}

Napi::Value Pool::EmbedTokens(const Napi::CallbackInfo& info) {
  auto work = [pool = pool_, name = ToString(info[1]), dtype = ToString(info[2]),
               text = ToString(info[3])](const auto& cancelled) -> Outcome {
    Result<Lease> lease = pool->Acquire(name, dtype);
    if (!lease.ok()) return {.status = lease.status(), .value = {}};
    const std::size_t dimensions = lease->model().info().token_dimensions;
    auto rows = std::make_shared<std::vector<float>>(lease->max_tokens() * dimensions);
    Result<Report> report = lease->EmbedTokens(text, *rows, &cancelled);
    if (!report.ok()) return {.status = report.status(), .value = {}};
    rows->resize(report->tokens * dimensions);
    return {.status = {}, .value = [rows, report = *report](Napi::Env env, Napi::Value) {
              Napi::Object object = Napi::Object::New(env);
              auto vectors = Napi::Float32Array::New(env, rows->size());
              if (vectors.IsEmpty()) return Napi::Value();  // A worker was terminated just now.
              std::memcpy(vectors.Data(), rows->data(), rows->size() * sizeof(float));
              object.Set("tokens", static_cast<double>(report.tokens));
              object.Set("truncated", report.truncated);
              object.Set("vectors", vectors);
              return Napi::Value(object);
            }};
  };
  return Environment::Of(info.Env()).Run(info.Env(), Id(info), std::move(work));
}

Napi::Value Pool::EmbedIds(const Napi::CallbackInfo& info) {
  auto work = [pool = pool_, name = ToString(info[1]), dtype = ToString(info[2]),
               ids = ToIds(info[3])](const auto& cancelled) -> Outcome {
    Result<Lease> lease = pool->Acquire(name, dtype);
    if (!lease.ok()) return {.status = lease.status(), .value = {}};
    auto rows = std::make_shared<std::vector<float>>(ids.size() * lease->model().info().token_dimensions);
    Status status = lease->EmbedIds(ids, *rows, &cancelled);
    return {.status = status,
            .value = [rows](Napi::Env env, Napi::Value) { return FromVector<Napi::Float32Array>(env, *rows); }};
  };
  return Environment::Of(info.Env()).Run(info.Env(), Id(info), std::move(work));
}

Napi::Value Pool::Rank(const Napi::CallbackInfo& info) {
  auto work = [pool = pool_, name = ToString(info[1]), dtype = ToString(info[2]), query = ToString(info[3]),
               documents = ToStrings(info[4]),
               options = ToRankOptions(info[5].As<Napi::Object>())](const auto& cancelled) -> Outcome {
    if (!options.ok()) return {.status = options.status(), .value = {}};
    Result<Lease> lease = pool->Acquire(name, dtype);
    if (!lease.ok()) return {.status = lease.status(), .value = {}};
    const std::vector<std::string_view> views(documents.begin(), documents.end());
    auto scores = std::make_shared<std::vector<float>>(views.size() * lease->num_scores());
    RankOptions wanted = *options;
    wanted.stop = &cancelled;
    Status status = lease->Rank(query, views, *scores, {}, wanted);
    return {.status = status,
            .value = [scores](Napi::Env env, Napi::Value) { return FromVector<Napi::Float32Array>(env, *scores); }};
  };
  return Environment::Of(info.Env()).Run(info.Env(), Id(info), std::move(work));
}

Napi::Value Pool::Tokenize(const Napi::CallbackInfo& info) {
  const auto given = info[4].As<Napi::Object>();
  const TokenizeOptions options = {.special_tokens = given.Get("specialTokens").ToBoolean().Value(),
                                   .offsets = given.Get("offsets").ToBoolean().Value()};
  std::vector<std::optional<std::string>> pairs;
  if (info[3].IsArray()) pairs = ToOptionalStrings(info[3]);
  const std::vector<std::string> texts = ToStrings(info[2]);
  return WithModel(info, *pool_, [&](const Model& model) -> Result<Napi::Value> {
    TokenLists lists;
    Status status = base::Guarded([&] { return TokenizeTexts(model, texts, pairs, options, lists); });
    if (!status.ok()) return status;
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("ids", FromVector<Napi::Int32Array>(info.Env(), lists.ids));
    object.Set("lengths", FromVector<Napi::Uint32Array>(info.Env(), lists.lengths));
    object.Set("typeIds", FromVector<Napi::Uint8Array>(info.Env(), lists.type_ids));
    if (options.offsets) object.Set("offsets", FromVector<Napi::Uint32Array>(info.Env(), lists.offsets));
    return Napi::Value(object);
  });
}

Napi::Value Pool::SpecialTokens(const Napi::CallbackInfo& info) {
  return WithModel(info, *pool_, [&](const Model& model) -> Result<Napi::Value> {
    const Result<SpecialIds> ids = FindSpecialIds(model);
    if (!ids.ok()) return ids.status();
    return FromSpecialIds(info.Env(), model, *ids);
  });
}

Napi::Value Pool::Vocabulary(const Napi::CallbackInfo& info) {
  return WithModel(info, *pool_, [&](const Model& model) -> Result<Napi::Value> {
    std::vector<std::int32_t> ids(model.info().vocabulary);
    std::iota(ids.begin(), ids.end(), 0);
    const Result<std::vector<TokenText>> texts = TokenTexts(model, ids);
    if (!texts.ok()) return texts.status();
    Napi::Array entries = Napi::Array::New(info.Env(), texts->size());
    for (std::uint32_t i = 0; i < texts->size(); ++i) {
      Napi::HandleScope scope(info.Env());
      entries.Set(i, (*texts)[i].text);
    }
    Napi::Object vocabulary = Napi::Object::New(info.Env());
    vocabulary.Set("entries", entries);
    vocabulary.Set("joining", static_cast<std::uint32_t>(texts->empty() ? Joining::kWordPiece : (*texts)[0].joining));
    return Napi::Value(vocabulary);
  });
}

Napi::Value Pool::Unload(const Napi::CallbackInfo& info) {
  auto work = [pool = pool_, name = ToString(info[1]), dtype = ToString(info[2])](const auto&) -> Outcome {
    pool->Unload(name, dtype);
    return {};
  };
  return Environment::Of(info.Env()).Run(info.Env(), Id(info), std::move(work));
}

Napi::Value Pool::EmbedSync(const Napi::CallbackInfo& info) {
  const Result<Wanted> wanted = ToWanted(info[3].As<Napi::Object>());
  Vectors result;
  Status status = wanted.status();
  if (status.ok()) {
    status = EmbedTexts(*pool_, ToString(info[0]), ToString(info[1]), ToStrings(info[2]), *wanted, result);
  }
  if (!status.ok()) {
    MakeError(info.Env(), status).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return Copy(info.Env(), result, info[4].As<Napi::TypedArray>(), ToSize(info[5]));
}

Napi::Value Pool::Unpin(const Napi::CallbackInfo& info) {
  pool_->Unpin(ToString(info[0]), ToString(info[1]));
  return info.Env().Undefined();
}

Napi::Value Pool::Stats(const Napi::CallbackInfo& info) {
  const Result<PoolStats> stats = pool_->Stats();
  if (stats.ok()) return FromStats(info.Env(), *stats);
  MakeError(info.Env(), stats.status()).ThrowAsJavaScriptException();
  return info.Env().Undefined();
}

Napi::Value Pool::Close(const Napi::CallbackInfo& info) {
  pool_.reset();
  return info.Env().Undefined();
}

}  // namespace thimble::node
