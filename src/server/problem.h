// Why a request fails, and how each dialect says so.

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
  kBodyTooLarge,   //
  kEncoding,       // The body is compressed.
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

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_PROBLEM_H_
