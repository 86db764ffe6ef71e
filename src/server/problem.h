// Why a request fails, and how each dialect says so; and the paths of a server.

#ifndef THIMBLE_SERVER_PROBLEM_H_
#define THIMBLE_SERVER_PROBLEM_H_

#include <string>

#include "server/http.h"
#include "thimble/status.h"

namespace thimble::server {

// Whose API a route belongs to. Voyage and Jina share OpenAI's.
enum class Dialect { kOpenAi, kTei, kOllama, kCohere };

enum class Fault {
  kBadRequest,     // JSON or a field that can never work.
  kEmpty,          // No text.
  kTooManyItems,   //
  kTooManyTokens,  // Of all texts together.
  kTooLong,        // A text that may not be truncated.
  kUnknownModel,   //
  kBadKey,         //
  kNoRoute,        //
  kMethod,         //
  kTimeout,        // The client was too slow.
  kBodyTooLarge,   //
  kHeadTooLarge,   //
  kBusy,           // The queue is full: later it may work.
  kOverBudget,     // More memory than the budget has.
  kStopping,       // The server ends.
  kBackend,        // The model cannot do it, or its file cannot be read.
  kInternal,
};

struct Problem {
  Fault fault = Fault::kInternal;
  std::string message = {};
  std::string param = {};  // The field that is wrong; may be empty.
  double retry_after = 0;  // Seconds; 0 means that nothing is known.
};

// What a failure of the engine means to a client.
Problem ProblemOf(const Status& status);

HttpReply ErrorReply(Dialect dialect, const Problem& problem);

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

#endif  // THIMBLE_SERVER_PROBLEM_H_
