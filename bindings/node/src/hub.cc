// Pulls on threads of their own, because they wait for the network.

#include "hub.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "environment.h"
#include "thimble/hub.h"
#include "thimble/known_models.h"
#include "values.h"

namespace thimble::node {
namespace {

const char* StageName(PullProgress::Stage stage) {
  switch (stage) {
    case PullProgress::Stage::kWaiting:
      return "waiting";
    case PullProgress::Stage::kDownloading:
      return "downloading";
    case PullProgress::Stage::kConverting:
      return "converting";
  }
  return "";
}

Napi::Value FromProgress(Napi::Env env, const PullProgress& progress) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("stage", StageName(progress.stage));
  object.Set("bytes", static_cast<double>(progress.bytes));
  object.Set("totalBytes", static_cast<double>(progress.total_bytes));
  object.Set("share", progress.share);
  return object;
}

Napi::Object FromModel(Napi::Env env, const NamedModel& model) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", model.name);
  object.Set("dtype", model.dtype);
  object.Set("path", model.path);
  object.Set("bytes", static_cast<double>(model.bytes));
  object.Set("organisation", model.organisation);
  object.Set("repository", model.repository);
  object.Set("revision", model.revision);
  return object;
}

Napi::Value FromPulled(Napi::Env env, const PulledModel& pulled) {
  Napi::Object object = FromModel(env, pulled.model);
  object.Set("downloaded", pulled.downloaded);
  return object;
}

// The models as an array, each with the time of its last use.
Napi::Value FromModels(Napi::Env env, const Result<std::vector<NamedModel>>& models) {
  if (!models.ok()) {
    MakeError(env, models.status()).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Napi::Array array = Napi::Array::New(env, models->size());
  for (std::size_t i = 0; i < models->size(); ++i) {
    Napi::Object model = FromModel(env, (*models)[i]);
    const auto since_epoch = (*models)[i].used.time_since_epoch();
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch);
    model.Set("used", Napi::Date::New(env, static_cast<double>(milliseconds.count())));
    array.Set(static_cast<std::uint32_t>(i), model);
  }
  return array;
}

Napi::Object FromScore(Napi::Env env, const BenchmarkScore& score) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("mean", score.mean);
  object.Set("tasks", static_cast<double>(score.tasks));
  object.Set("retrieval", score.retrieval);
  return object;
}

Napi::Object FromKnownModel(Napi::Env env, const KnownModelInfo& model) {
  const auto text = [env](std::string_view view) { return Napi::String::New(env, view.data(), view.size()); };
  Napi::Object object = Napi::Object::New(env);
  object.Set("repository", text(model.repository));
  Napi::Array copies = Napi::Array::New(env, model.copies.size());
  for (std::size_t i = 0; i < model.copies.size(); ++i) copies[static_cast<std::uint32_t>(i)] = text(model.copies[i]);
  object.Set("copies", copies);
  object.Set("family", text(model.family));
  object.Set("supported", model.missing.empty());
  object.Set("missing", text(model.missing));
  object.Set("kind", model.reranker ? "reranker" : "embedding");
  object.Set("language", model.multilingual ? "multilingual" : "en");
  object.Set("dimensions", static_cast<double>(model.dimensions));
  object.Set("maxTokens", static_cast<double>(model.max_tokens));
  if (model.pooling) {
    object.Set("pooling", text(PoolingName(*model.pooling)));
    object.Set("normalize", model.normalize);
  }
  Napi::Object prompts = Napi::Object::New(env);
  for (const Prompt& prompt : model.prompts) prompts.Set(prompt.name, prompt.text);
  object.Set("prompts", prompts);
  object.Set("bytesQ8", static_cast<double>(model.bytes_q8));
  object.Set("bytesQ4", static_cast<double>(model.bytes_q4));
  object.Set("licence", text(model.licence));
  if (model.mteb_english) object.Set("mtebEnglish", FromScore(env, *model.mteb_english));
  if (model.mteb_multilingual) object.Set("mtebMultilingual", FromScore(env, *model.mteb_multilingual));
  return object;
}

}  // namespace

Napi::Value Pull(const Napi::CallbackInfo& info) {
  const auto given = info[2].As<Napi::Object>();
  const auto text = [&](const char* key) {
    const Napi::Value value = given.Get(key);
    return value.IsUndefined() ? std::string() : ToString(value);
  };
  PullOptions options;
  options.dtype = text("dtype");
  options.revision = text("revision");
  options.folder = text("folder");
  options.name = text("name");
  options.force = given.Get("force").ToBoolean().Value();
  options.unstated_pooling = given.Get("unstatedPooling").ToBoolean().Value();
  if (const Napi::Value pooling = given.Get("pooling"); !pooling.IsUndefined()) {
    const Result<Pooling> parsed = ParsePooling(ToString(pooling));
    if (!parsed.ok()) {
      MakeError(info.Env(), parsed.status()).ThrowAsJavaScriptException();
      return info.Env().Undefined();
    }
    options.pooling = *parsed;
  }
  if (const Napi::Value normalize = given.Get("normalize"); !normalize.IsUndefined()) {
    options.normalize = normalize.ToBoolean().Value();
  }
  options.local_files_only = given.Get("localFilesOnly").ToBoolean().Value();
  if (const Napi::Value folders = given.Get("localFolders"); folders.IsArray()) {
    options.local_folders = ToStrings(folders);
  }
  auto work = [name = ToString(info[1]),
               options = std::move(options)](Environment::Watch& watch) mutable -> Environment::Outcome {
    options.progress = [&watch](const PullProgress& progress) {
      if (watch.cancelled()) return false;
      watch.Tell([progress](Napi::Env env) { return FromProgress(env, progress); });
      return true;
    };
    Result<PulledModel> pulled = PullModel(name, options);
    if (!pulled.ok()) return {.status = pulled.status(), .value = {}};
    return {.status = {},
            .value = [found = *std::move(pulled)](Napi::Env env, Napi::Value) { return FromPulled(env, found); }};
  };
  const std::uint32_t id = info[0].As<Napi::Number>().Uint32Value();
  return Environment::Of(info.Env()).RunAlone(info.Env(), id, std::move(work), info[3]);
}

Napi::Value List(const Napi::CallbackInfo& info) {
  return FromModels(info.Env(), ListModels(info[0].IsUndefined() ? std::string() : ToString(info[0])));
}

Napi::Value Remove(const Napi::CallbackInfo& info) {
  const auto text = [&](std::size_t i) { return info[i].IsUndefined() ? std::string() : ToString(info[i]); };
  return FromModels(info.Env(), RemoveModel(text(0), text(1), text(2)));
}

Napi::Value ListKnownModels(const Napi::CallbackInfo& info) {
  const std::vector<KnownModelInfo> models = KnownModels();
  Napi::Array array = Napi::Array::New(info.Env(), models.size());
  for (std::size_t i = 0; i < models.size(); ++i) {
    array[static_cast<std::uint32_t>(i)] = FromKnownModel(info.Env(), models[i]);
  }
  return array;
}

}  // namespace thimble::node
