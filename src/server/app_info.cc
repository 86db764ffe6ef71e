// Requests that embed nothing: models, state, health, and the page.

#include <ctime>
#include <utility>

#include "server/app.h"
#include "server/page.h"

namespace thimble::server {
namespace {

using json::Array;
using json::Object;

std::string Dump(Object object) { return Json(std::move(object)).Text(); }

std::string TimeText(std::int64_t seconds) {
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm parts = {};
  gmtime_r(&time, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

Object OpenAiModel(const ServedModel& model) {
  return {{"id", model.id},
          {"object", "model"},
          {"created", model.created},
          {"owned_by", model.organisation.empty() ? "thimble" : model.organisation}};
}

// Ollama prefixes keys with it. A mock has none.
std::string ArchitectureOf(const ServedModel& model) {
  return model.info.architecture.empty() ? "bert" : model.info.architecture;
}

Object OllamaDetails(const ServedModel& model) {
  const std::string family = ArchitectureOf(model);
  return {{"parent_model", ""},        {"format", "thimble"},  {"family", family},
          {"families", Array{family}}, {"parameter_size", ""}, {"quantization_level", model.info.dtype}};
}

Object OllamaModel(const ServedModel& model) {
  return {{"name", model.id + ":latest"},
          {"model", model.id + ":latest"},
          {"size", model.info.file_bytes},
          {"digest", model.info.fingerprint},
          {"details", OllamaDetails(model)}};
}

}  // namespace

void App::Answer(const ExchangePtr& exchange) {
  const auto reply = [&]() -> std::optional<HttpReply> {
    switch (exchange->route->action) {
      case Action::kModels:
        return HttpReply{.body = Models()};
      case Action::kModel:
        return Model(exchange->head);
      case Action::kTeiInfo:
        return HttpReply{.body = TeiInfo()};
      case Action::kTags:
        return HttpReply{.body = OllamaTags()};
      case Action::kPs:
        return HttpReply{.body = OllamaRunning()};
      case Action::kVersion:
        return HttpReply{.body = Dump({{"version", options_.version}})};
      case Action::kHealth:
        return Health(exchange->head);
      case Action::kMetrics:
        return HttpReply{.content_type = "text/plain; version=0.0.4", .body = metrics_.Text(ReadGauges())};
      default:
        return std::nullopt;
    }
  };
  if (exchange->route->action == Action::kRoot) return Root(exchange);
  exchange->reply = reply();
  if (exchange->reply) return End(exchange, std::nullopt);
  End(exchange, Problem{.fault = Fault::kInternal, .message = "this path needs a body"});
}

HttpReply App::Health(const HttpHead& head) const {
  const bool ready = head.path == "/health/ready" || head.query == "ready" || head.query.starts_with("ready=");
  if (ready && stopping_) return {.status = 503, .body = "{\"status\":\"stopping\"}"};
  return {.body = "{\"status\":\"ok\"}"};
}

void App::Root(const ExchangePtr& exchange) {
  if (exchange->head.accept.find("text/html") == std::string::npos) {
    exchange->reply = HttpReply{.content_type = "text/plain", .body = "Ollama is running"};
    return End(exchange, std::nullopt);
  }
  const std::string first = QueryField(exchange->head.query, "a"), second = QueryField(exchange->head.query, "b");
  std::string error;
  if (!first.empty() && !second.empty()) {
    exchange->request.model = QueryField(exchange->head.query, "model");
    if (exchange->request.model.empty()) exchange->request.model = catalogue_.models().front()->id;
    exchange->request.texts = {first, second};
    bool waits = false;
    const std::optional<Problem> problem = Start(exchange, waits);
    if (waits) return;
    error = problem ? problem->message : "";
  }
  exchange->reply = Page(exchange, {}, error);
  End(exchange, std::nullopt);
}

HttpReply App::Page(const ExchangePtr& exchange, std::span<const float> likeness, const std::string& error) const {
  const std::string& query = exchange->head.query;
  PageState state = {.catalogue = catalogue_,
                     .counts = metrics_.summary(),
                     .gauges = ReadGauges(),
                     .version = options_.version,
                     .uptime_seconds = std::chrono::duration<double>(Clock::now() - begin_).count()};
  state.model = QueryField(query, "model");
  state.first = QueryField(query, "a");
  state.second = QueryField(query, "b");
  if (!likeness.empty()) state.cosine = static_cast<double>(likeness[0]);
  state.error = error;
  return {.content_type = "text/html; charset=utf-8",
          .body = StatePage(state),
          .headers = {{"content-security-policy", kPagePolicy}, {"cache-control", "no-store"}}};
}

Gauges App::ReadGauges() const {
  Gauges gauges = {.batcher = batcher_->stats(),
                   .queue_bytes = budget_.used(),
                   .queue_limit = budget_.limit(),
                   .connections = connections_};
  Result<PoolStats> stats = pool_.Stats();
  if (stats.ok()) gauges.pool = *std::move(stats);
  return gauges;
}

std::string App::Models() const {
  Array list;
  for (const auto& model : catalogue_.models()) list.push_back(OpenAiModel(*model));
  return Dump({{"object", "list"}, {"data", std::move(list)}});
}

HttpReply App::Model(const HttpHead& head) const {
  const std::string name = head.path.substr(sizeof kModelPath - 1);
  if (const ServedModel* model = catalogue_.Find(name)) return {.body = Dump(OpenAiModel(*model))};
  return ErrorReply(Dialect::kOpenAi, {.fault = Fault::kUnknownModel,
                                       .message = "The model " + Json(name).Text() +
                                                  " does not exist; this server has: " + catalogue_.Ids(),
                                       .param = "model"});
}

std::string App::TeiInfo() const {
  const ServedModel& model = *catalogue_.models().front();
  const auto optional = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  return Dump({{"model_id", model.repository.empty() ? model.id : model.repository},
               {"model_sha", optional(model.revision)},
               {"model_dtype", model.info.dtype},
               {"served_model_name", model.id},
               {"model_type", Object{{"embedding", Object{{"pooling", PoolingNames(model.info.pooling)}}}}},
               {"max_concurrent_requests", options_.max_connections},
               {"max_input_length", model.info.max_tokens},
               {"max_batch_tokens", options_.max_request_tokens},
               {"max_batch_requests", nullptr},
               {"max_client_batch_size", options_.max_items},
               {"auto_truncate", true},
               {"tokenization_workers", 1},
               {"version", options_.version},
               {"sha", nullptr},
               {"docker_label", nullptr}});
}

std::string App::OllamaTags() const {
  Array list;
  for (const auto& model : catalogue_.models()) {
    Object entry = OllamaModel(*model);
    entry["modified_at"] = TimeText(model->created);
    list.push_back(std::move(entry));
  }
  return Dump({{"models", std::move(list)}});
}

std::string App::OllamaRunning() {
  Array list;
  const Result<PoolStats> stats = pool_.Stats();
  std::lock_guard lock(keep_mutex_);
  for (const auto& model : catalogue_.models()) {
    for (const ModelStats& loaded : stats.ok() ? stats->models : std::vector<ModelStats>()) {
      if (loaded.name != model->opened.name || (!loaded.dtype.empty() && loaded.dtype != model->opened.dtype)) continue;
      Object entry = OllamaModel(*model);
      entry["size"] = loaded.private_bytes + loaded.mapped_bytes;
      entry["size_vram"] = 0;
      entry["context_length"] = model->info.max_tokens;
      // Never is a date far away.
      std::chrono::seconds left = std::chrono::hours(24 * 365 * 100);
      const auto kept = keep_until_.find(model.get());
      if (kept != keep_until_.end() && kept->second != Clock::time_point::max()) {
        left = std::chrono::duration_cast<std::chrono::seconds>(kept->second - Clock::now());
      } else if (kept == keep_until_.end() && options_.pool.unload_after) {
        left = std::chrono::duration_cast<std::chrono::seconds>(*options_.pool.unload_after - loaded.idle);
      }
      entry["expires_at"] = TimeText(std::time(nullptr) + left.count());
      list.push_back(std::move(entry));
    }
  }
  return Dump({{"models", std::move(list)}});
}

std::optional<Problem> App::Show(const ExchangePtr& exchange, const Json& body) const {
  Fields fields(body);
  const auto name = fields.String("model");
  const auto old = fields.String("name");
  if (!fields.ok()) return fields.problem();
  const std::string wanted = name.value_or(old.value_or(""));
  if (wanted.empty()) return Problem{.fault = Fault::kBadRequest, .message = "model is required", .param = "model"};
  const ServedModel* model = catalogue_.Find(wanted);
  if (model == nullptr) {
    return Problem{.fault = Fault::kUnknownModel, .message = "model " + Json(wanted).Text() + " not found"};
  }
  exchange->model = model;
  const ModelInfo& info = model->info;
  const std::string architecture = ArchitectureOf(*model);
  exchange->reply =
      HttpReply{.body = Dump({{"modelfile", "FROM " + model->id + "\n"},
                              {"parameters", ""},
                              {"template", "{{ .Prompt }}"},
                              {"details", OllamaDetails(*model)},
                              {"model_info", Object{{"general.architecture", architecture},
                                                    {"general.basename", model->info.name},
                                                    {architecture + ".context_length", info.max_tokens},
                                                    {architecture + ".embedding_length", info.dimensions},
                                                    {architecture + ".block_count", info.layers},
                                                    {architecture + ".attention.head_count", info.heads}}},
                              {"capabilities", Array{"embedding"}},
                              {"modified_at", TimeText(model->created)}})};
  return std::nullopt;
}

}  // namespace thimble::server
