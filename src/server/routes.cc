// The table of paths.

#include "server/routes.h"

#include <string_view>

namespace thimble::server {
namespace {

constexpr Route kRoutes[] = {
    {"POST", "/v1/embeddings", Dialect::kOpenAi, Action::kOpenAi},
    {"POST", "/embeddings", Dialect::kOpenAi, Action::kOpenAi},
    {"GET", "/v1/models", Dialect::kOpenAi, Action::kModels},
    {"GET", "/models", Dialect::kOpenAi, Action::kModels},
    {"GET", "/v1/models/{id}", Dialect::kOpenAi, Action::kModel},
    {"POST", "/embed", Dialect::kTei, Action::kTei},
    {"POST", "/", Dialect::kTei, Action::kTei},
    {"POST", "/embed_all", Dialect::kTei, Action::kTeiAll},
    {"GET", "/info", Dialect::kTei, Action::kTeiInfo},
    {"POST", "/tokenize", Dialect::kTei, Action::kTokenize},
    {"POST", "/decode", Dialect::kTei, Action::kDecode},
    {"POST", "/similarity", Dialect::kTei, Action::kSimilarity},
    {"POST", "/rerank", Dialect::kTei, Action::kRerank},
    {"POST", "/api/embed", Dialect::kOllama, Action::kOllama},
    {"POST", "/api/embeddings", Dialect::kOllama, Action::kOllamaOld},
    {"GET", "/api/tags", Dialect::kOllama, Action::kTags},
    {"GET", "/api/ps", Dialect::kOllama, Action::kPs},
    {"POST", "/api/show", Dialect::kOllama, Action::kShow},
    {"GET", "/api/version", Dialect::kOllama, Action::kVersion},
    {"POST", "/v2/embed", Dialect::kCohere, Action::kCohere},
    {"POST", "/v1/embed", Dialect::kCohere, Action::kCohereOld},
    {"POST", "/v2/rerank", Dialect::kCohere, Action::kCohereRerank},
    {"POST", "/v1/rerank", Dialect::kOpenAi, Action::kJinaRerank},
    {"GET", "/health", Dialect::kTei, Action::kHealth, true},
    {"GET", "/health/ready", Dialect::kTei, Action::kHealth, true},
    {"GET", "/metrics", Dialect::kTei, Action::kMetrics},
    {"GET", "/", Dialect::kOllama, Action::kRoot, true},
};
constexpr Route kNoRoutes[] = {{"", "other", Dialect::kOpenAi, Action::kNone},
                               {"", "other", Dialect::kTei, Action::kNone},
                               {"", "other", Dialect::kOllama, Action::kNone},
                               {"", "other", Dialect::kCohere, Action::kNone}};

bool Fits(const Route& route, std::string_view path) {
  if (route.action == Action::kModel) return path.starts_with(kModelPath) && path.size() > sizeof kModelPath - 1;
  return path == route.path;
}

}  // namespace

const Route& FindRoute(const std::string& method, const std::string& path) {
  const std::string_view wanted = method == "HEAD" ? "GET" : std::string_view(method);
  const Route* near = nullptr;
  for (const Route& route : kRoutes) {
    if (!Fits(route, path)) continue;
    if (route.method == wanted) return route;
    near = &route;
  }
  const Dialect dialect = near != nullptr             ? near->dialect
                          : path.starts_with("/api/") ? Dialect::kOllama
                          : path.starts_with("/v2/")  ? Dialect::kCohere
                                                      : Dialect::kOpenAi;
  return kNoRoutes[static_cast<int>(dialect)];
}

const char* OtherMethod(const std::string& path) {
  for (const Route& route : kRoutes) {
    if (Fits(route, path)) return route.method;
  }
  return nullptr;
}

}  // namespace thimble::server
