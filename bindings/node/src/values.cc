// Conversions, field by field.

#include "values.h"

#include <chrono>
#include <utility>

#include "base/error.h"

namespace thimble::node {
namespace {

using std::chrono::milliseconds;

Napi::Number Number(Napi::Env env, std::size_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

milliseconds ToTime(Napi::Value value, milliseconds unset) {
  return value.IsUndefined() ? unset : milliseconds(value.As<Napi::Number>().Int64Value());
}

}  // namespace

std::string ToString(Napi::Value value) { return value.As<Napi::String>().Utf8Value(); }

std::vector<std::string> ToStrings(Napi::Value value) {
  auto array = value.As<Napi::Array>();
  std::vector<std::string> strings(array.Length());
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    Napi::HandleScope scope(array.Env());
    strings[i] = ToString(array.Get(i));
  }
  return strings;
}

std::vector<std::optional<std::string>> ToOptionalStrings(Napi::Value value) {
  auto array = value.As<Napi::Array>();
  std::vector<std::optional<std::string>> strings(array.Length());
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    Napi::HandleScope scope(array.Env());
    if (const Napi::Value string = array.Get(i); string.IsString()) strings[i] = ToString(string);
  }
  return strings;
}

std::vector<std::int32_t> ToIds(Napi::Value value) {
  auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

std::size_t ToSize(Napi::Value value) {
  return value.IsUndefined() ? 0 : static_cast<std::size_t>(value.As<Napi::Number>().DoubleValue());
}

Result<VectorOptions> ToVectorOptions(Napi::Object options) {
  VectorOptions result;
  if (const Napi::Value pooling = options.Get("pooling"); !pooling.IsUndefined()) {
    THIMBLE_ASSIGN_OR_RETURN(result.pooling, ParsePooling(ToString(pooling)));
  }
  const Napi::Value normalize = options.Get("normalize");
  if (!normalize.IsUndefined()) result.normalize = normalize.As<Napi::Boolean>().Value();
  const Napi::Value prompt = options.Get("promptName"), long_texts = options.Get("longTexts");
  const Napi::Value overlap = options.Get("chunkOverlap"), dimensions = options.Get("dimensions");
  if (!dimensions.IsUndefined()) result.dimensions = ToSize(dimensions);
  if (!prompt.IsUndefined()) result.prompt_name = ToString(prompt);
  if (!long_texts.IsUndefined()) {
    THIMBLE_ASSIGN_OR_RETURN(result.long_texts, ParseLongTexts(ToString(long_texts)));
  }
  if (!overlap.IsUndefined()) result.chunk_overlap = ToSize(overlap);
  result.first_index = ToSize(options.Get("firstIndex"));
  return result;
}

Result<RankOptions> ToRankOptions(Napi::Object options) {
  THIMBLE_ASSIGN_OR_RETURN(const VectorOptions shared, ToVectorOptions(options));
  return RankOptions{.raw_scores = options.Get("rawScores").ToBoolean().Value(),
                     .prompt_name = shared.prompt_name,
                     .long_texts = shared.long_texts,
                     .first_index = shared.first_index};
}

Result<Precision> ToPrecision(Napi::Object options) {
  const Napi::Value precision = options.Get("precision");
  if (precision.IsUndefined()) return Precision::kFloat32;
  return ParsePrecision(ToString(precision));
}

Result<PoolOptions> ToPoolOptions(Napi::Object options) {
  PoolOptions result;
  const Napi::Value folder = options.Get("folder"), unload = options.Get("unloadAfterMs");
  if (!folder.IsUndefined()) result.folder = ToString(folder);
  result.max_memory = ToSize(options.Get("maxMemory"));
  result.max_models = ToSize(options.Get("maxModels"));
  if (!unload.IsUndefined()) {
    const milliseconds time = ToTime(unload, {});
    result.unload_after = time.count() < 0 ? std::nullopt : std::optional(time);
  }
  result.max_wait = ToTime(options.Get("maxWaitMs"), result.max_wait);
  if (const Napi::Value load = options.Get("load"); !load.IsUndefined()) {
    THIMBLE_ASSIGN_OR_RETURN(result.open.load, ParseLoad(ToString(load)));
  }
  result.open.verify = options.Get("verify").ToBoolean().Value();
  if (const std::size_t threads = ToSize(options.Get("threads")); threads != 0) result.embedder.threads = threads;
  result.embedder.max_tokens = ToSize(options.Get("maxTokens"));
  if (const Napi::Value truncation = options.Get("truncation"); !truncation.IsUndefined()) {
    THIMBLE_ASSIGN_OR_RETURN(result.embedder.truncation, ParseTruncation(ToString(truncation)));
  }
  if (const Napi::Value cache = options.Get("cachePath"); !cache.IsUndefined()) {
    THIMBLE_ASSIGN_OR_RETURN(result.embedder.cache,
                             ExactCache::Open(ToString(cache), ToSize(options.Get("cacheBytes"))));
  }
  return result;
}

Napi::Object FromInfo(Napi::Env env, const ModelInfo& info, std::size_t max_tokens,
                      const std::optional<Receipt>& receipt) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", info.name);
  object.Set("fingerprint", info.fingerprint);
  if (!info.architecture.empty()) object.Set("architecture", info.architecture);
  object.Set("dtype", info.dtype);
  object.Set("dimensions", Number(env, info.dimensions));
  object.Set("layers", Number(env, info.layers));
  object.Set("heads", Number(env, info.heads));
  object.Set("vocabulary", Number(env, info.vocabulary));
  object.Set("positions", Number(env, info.positions));
  object.Set("maxTokens", Number(env, max_tokens));
  object.Set("tokenizersMaxTokens", Number(env, info.tokenizers_max_tokens));
  object.Set("modelMaxLength", Number(env, info.model_max_length));
  object.Set("tokenDimensions", Number(env, info.token_dimensions));
  object.Set("pooling", PoolingNames(info.pooling));
  Napi::Array modules = Napi::Array::New(env);
  for (const std::string& module : info.modules) modules.Set(modules.Length(), module);
  object.Set("modules", modules);
  object.Set("normalize", info.normalize);
  Napi::Object prompts = Napi::Object::New(env);
  for (const Prompt& prompt : info.prompts) prompts.Set(prompt.name, prompt.text);
  object.Set("prompts", prompts);
  if (!info.default_prompt_name.empty()) object.Set("defaultPromptName", info.default_prompt_name);
  if (!info.labels.empty()) {
    Napi::Array labels = Napi::Array::New(env);
    for (const std::string& label : info.labels) labels.Set(labels.Length(), label);
    object.Set("labels", labels);
    object.Set("scoreActivation", info.score_activation);
  }
  object.Set("fileBytes", Number(env, info.file_bytes));
  if (receipt && receipt->unrelated) {
    Napi::Array quantiles = Napi::Array::New(env);
    for (const auto& [share, cosine] : receipt->unrelated->quantiles) {
      Napi::Object quantile = Napi::Object::New(env);
      quantile.Set("share", share);
      quantile.Set("cosine", cosine);
      quantiles.Set(quantiles.Length(), quantile);
    }
    Napi::Object unrelated = Napi::Object::New(env);
    unrelated.Set("pairs", Number(env, receipt->unrelated->pairs));
    unrelated.Set("quantiles", quantiles);
    object.Set("unrelatedCosines", unrelated);
  }
  return object;
}

UnrelatedCosines ToUnrelatedCosines(Napi::Object object) {
  UnrelatedCosines unrelated;
  unrelated.pairs = ToSize(object.Get("pairs"));
  const auto quantiles = object.Get("quantiles").As<Napi::Array>();
  for (std::uint32_t i = 0; i < quantiles.Length(); ++i) {
    const auto quantile = quantiles.Get(i).As<Napi::Object>();
    unrelated.quantiles.push_back({.share = quantile.Get("share").As<Napi::Number>().DoubleValue(),
                                   .cosine = quantile.Get("cosine").As<Napi::Number>().DoubleValue()});
  }
  return unrelated;
}

Result<Napi::Value> FromSpecialIds(Napi::Env env, const Model& model, const SpecialIds& ids) {
  Napi::Object object = Napi::Object::New(env);
  const std::pair<const char*, std::optional<std::int32_t>> tokens[] = {
      {"cls", ids.cls}, {"sep", ids.sep}, {"unk", ids.unk}, {"pad", ids.pad}, {"mask", ids.mask}};
  for (const auto& [name, id] : tokens) {
    if (!id) continue;
    THIMBLE_ASSIGN_OR_RETURN(const std::vector<TokenText> texts, TokenTexts(model, {&*id, 1}));
    Napi::Object token = Napi::Object::New(env);
    token.Set("id", *id);
    token.Set("text", texts[0].text);
    object.Set(name, token);
  }
  return Napi::Value(object);
}

Napi::Object FromPlan(Napi::Env env, const Plan& plan) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("mappedBytes", Number(env, plan.mapped_bytes));
  object.Set("fixedBytes", Number(env, plan.fixed_bytes));
  object.Set("scratchBytesPerThread", Number(env, plan.scratch_bytes));
  object.Set("threads", Number(env, plan.threads));
  object.Set("peakBytes", Number(env, plan.peak_bytes));
  object.Set("maxTokens", Number(env, plan.max_tokens));
  object.Set("tileTokens", Number(env, plan.tile_tokens));
  return object;
}

Napi::Object FromStats(Napi::Env env, const PoolStats& stats) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("maxMemory", Number(env, stats.max_memory));
  object.Set("usedMemory", Number(env, stats.used_memory));
  object.Set("peakMemory", Number(env, stats.peak_memory));
  object.Set("loads", Number(env, stats.loads));
  object.Set("unloads", Number(env, stats.unloads));
  object.Set("refusals", Number(env, stats.refusals));
  if (stats.cache) {
    Napi::Object cache = Napi::Object::New(env);
    cache.Set("hits", Number(env, stats.cache->hits));
    cache.Set("misses", Number(env, stats.cache->misses));
    cache.Set("writes", Number(env, stats.cache->writes));
    object.Set("cache", cache);
  }
  Napi::Array models = Napi::Array::New(env, stats.models.size());
  for (std::size_t i = 0; i < stats.models.size(); ++i) {
    const ModelStats& from = stats.models[i];
    Napi::Object model = Napi::Object::New(env);
    model.Set("name", from.name);
    model.Set("dtype", from.dtype);
    model.Set("mappedBytes", Number(env, from.mapped_bytes));
    model.Set("privateBytes", Number(env, from.private_bytes));
    model.Set("leases", Number(env, from.leases));
    model.Set("uses", Number(env, from.uses));
    model.Set("pinned", from.pinned);
    model.Set("idleMs", Number(env, static_cast<std::size_t>(from.idle.count())));
    models.Set(static_cast<std::uint32_t>(i), model);
  }
  object.Set("models", models);
  return object;
}

Napi::Uint32Array FromReports(Napi::Env env, const std::vector<Report>& reports) {
  Napi::Uint32Array array = Napi::Uint32Array::New(env, 3 * reports.size());
  for (std::size_t i = 0; i < reports.size(); ++i) {
    array[3 * i] = static_cast<std::uint32_t>(reports[i].tokens);
    array[3 * i + 1] = reports[i].truncated ? 1 : 0;
    array[3 * i + 2] = static_cast<std::uint32_t>(reports[i].chunks);
  }
  return array;
}

}  // namespace thimble::node
