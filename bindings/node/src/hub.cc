// Pulls on threads of their own, because they wait for the network.

#include "hub.h"

#include <string>
#include <utility>

#include "environment.h"
#include "thimble/hub.h"
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

Napi::Value FromPulled(Napi::Env env, const PulledModel& pulled) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", pulled.model.name);
  object.Set("dtype", pulled.model.dtype);
  object.Set("path", pulled.model.path);
  object.Set("bytes", static_cast<double>(pulled.model.bytes));
  object.Set("repository", pulled.model.repository);
  object.Set("revision", pulled.model.revision);
  object.Set("downloaded", pulled.downloaded);
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
  options.force = given.Get("force").ToBoolean().Value();
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

}  // namespace thimble::node
