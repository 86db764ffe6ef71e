// The table of faults and dialects.

#include "server/problem.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "json/value.h"

namespace thimble::server {
namespace {

using json::Object;
using Json = json::Value;

struct Row {
  unsigned openai, ollama, tei, cohere;
  const char* type;      // Of OpenAI.
  const char* code;      // The same; null where it has none.
  const char* tei_type;  // error_type.
};

constexpr char kInvalid[] = "invalid_request_error";
constexpr char kServerError[] = "server_error";

// By Fault.
constexpr Row kRows[] = {
    {400, 400, 422, 400, kInvalid, nullptr, "Validation"},                                   // kBadRequest
    {400, 400, 400, 400, kInvalid, nullptr, "Empty"},                                        // kEmpty
    {400, 400, 422, 400, kInvalid, nullptr, "Validation"},                                   // kTooManyItems
    {400, 400, 422, 400, "max_tokens_per_request", "max_tokens_per_request", "Validation"},  // kTooManyTokens
    {400, 400, 422, 400, kInvalid, "context_length_exceeded", "Validation"},                 // kTooLong
    {404, 404, 404, 404, kInvalid, "model_not_found", "Validation"},                         // kUnknownModel
    {401, 401, 401, 401, kInvalid, "invalid_api_key", "Validation"},                         // kBadKey
    {404, 404, 404, 404, kInvalid, "unknown_url", "Validation"},                             // kNoRoute
    {405, 405, 405, 405, kInvalid, "method_not_allowed", "Validation"},                      // kMethod
    {413, 413, 413, 413, kInvalid, "body_too_large", "Validation"},                          // kBodyTooLarge
    {415, 415, 415, 415, kInvalid, "unsupported_encoding", "Validation"},                    // kEncoding
    {431, 431, 431, 431, kInvalid, "header_too_large", "Validation"},                        // kHeadTooLarge
    {429, 503, 429, 429, "rate_limit_error", "rate_limit_exceeded", "Overloaded"},           // kBusy
    {503, 500, 424, 503, kServerError, "memory_budget_exceeded", "Backend"},                 // kOverBudget
    {503, 503, 503, 503, kServerError, "stopping", "Unhealthy"},                             // kStopping
    {500, 500, 424, 500, kServerError, nullptr, "Backend"},                                  // kBackend
    {500, 500, 424, 500, kServerError, nullptr, "Backend"},                                  // kInternal
};
static_assert(std::size(kRows) == static_cast<std::size_t>(Fault::kInternal) + 1);

}  // namespace

Problem ProblemOf(const Status& status) {
  switch (status.code()) {
    case Code::kInvalidArgument:
    case Code::kUnsupported:
      return {.fault = Fault::kBadRequest, .message = status.message()};
    case Code::kNotFound:
      return {.fault = Fault::kUnknownModel, .message = status.message(), .param = "model"};
    case Code::kOutOfMemory:
      return {.fault = Fault::kOverBudget, .message = status.message()};
    case Code::kOverloaded:
      return {.fault = Fault::kBusy, .message = status.message(), .retry_after = 1};
    default:
      return {.fault = Fault::kBackend, .message = status.message()};
  }
}

HttpReply ErrorReply(Dialect dialect, const Problem& problem) {
  const Row& row = kRows[static_cast<std::size_t>(problem.fault)];
  HttpReply reply;
  Object body;
  switch (dialect) {
    case Dialect::kOpenAi:
      reply.status = row.openai;
      // "detail" is what the clients of Voyage and Jina read.
      body = {{"error", Object{{"message", problem.message},
                               {"type", row.type},
                               {"param", problem.param.empty() ? Json() : problem.param},
                               {"code", row.code == nullptr ? Json() : row.code}}},
              {"detail", problem.message}};
      break;
    case Dialect::kTei:
      reply.status = row.tei;
      body = {{"error", problem.message}, {"error_type", row.tei_type}};
      break;
    case Dialect::kOllama:
      reply.status = row.ollama;
      body = {{"error", problem.message}};
      break;
    case Dialect::kCohere:
      reply.status = row.cohere;
      body = {{"message", problem.message}};
      break;
  }
  reply.body = Json(std::move(body)).Text();
  if (problem.retry_after > 0) {
    const double seconds = std::clamp(problem.retry_after, 0.05, 60.0);
    reply.headers.emplace_back("retry-after", std::to_string(static_cast<int>(std::ceil(seconds))));
    reply.headers.emplace_back("retry-after-ms", std::to_string(static_cast<int>(std::ceil(seconds * 1000))));
  }
  if (problem.fault == Fault::kOverBudget) reply.headers.emplace_back("x-should-retry", "false");
  if (problem.fault == Fault::kBadKey)
    reply.headers.emplace_back("www-authenticate", "Bearer, Basic realm=\"thimble\"");
  reply.close = problem.fault == Fault::kHeadTooLarge;
  return reply;
}

}  // namespace thimble::server
