// The paths of a server.

#ifndef THIMBLE_SERVER_ROUTES_H_
#define THIMBLE_SERVER_ROUTES_H_

#include <string>

#include "server/problem.h"

namespace thimble::server {

enum class Action {
  kOpenAi,
  kModels,
  kModel,
  kTei,
  kTeiAll,
  kTeiInfo,
  kTokenize,
  kDecode,
  kSimilarity,
  kRerank,
  kCohereRerank,
  kJinaRerank,  // And Voyage's, and Cohere's of version 1.
  kOllama,
  kOllamaOld,
  kTags,
  kPs,
  kShow,
  kVersion,
  kCohere,
  kCohereOld,
  kHealth,
  kMetrics,
  kRoot,
  kNone,  // No such path, or not this method.
};

struct Route {
  const char* method;
  const char* path;
  Dialect dialect;
  Action action;
  bool open = false;  // Whether it needs no key.
};

// The route of a request; HEAD goes where GET does. One with kNone, whose dialect fits the path, where there is none.
const Route& FindRoute(const std::string& method, const std::string& path);
// What the path takes instead, "GET" or "POST"; null for an unknown path.
const char* OtherMethod(const std::string& path);
// Before the id of a model.
inline constexpr char kModelPath[] = "/v1/models/";

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_ROUTES_H_
