// Which failed requests are sent again, and after how long.

#ifndef THIMBLE_NET_RETRY_H_
#define THIMBLE_NET_RETRY_H_

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"

namespace thimble::net {

struct RetryPolicy {
  std::vector<long> codes;  // Of replies that are worth another attempt,
  long codes_from = 500;    // and every code from this one on.
  int attempts = 5;         // In all.
  std::chrono::milliseconds first_delay = std::chrono::milliseconds(500);
  std::chrono::milliseconds most_delay = std::chrono::seconds(8);
  // The longest wait that a server may ask for where the call has no deadline.
  std::chrono::milliseconds most_after = std::chrono::seconds(60);
  // Headers of replies: milliseconds to wait, seconds or a date to wait for, and "true" or "false".
  std::string after_ms = "retry-after-ms";
  std::string after = "retry-after";
  std::string should = "x-should-retry";
};

// The time in a header, "Sun, 06 Nov 1994 08:49:37 GMT"; nullopt for anything else.
std::optional<std::chrono::system_clock::time_point> ParseHttpDate(std::string_view text);

// How long the server asks to wait; nullopt when it says nothing that can be understood.
std::optional<std::chrono::milliseconds> AskedDelay(const RetryPolicy& policy, const HttpResult& reply,
                                                    std::chrono::system_clock::time_point now);

// Whether the same request may succeed later: the connection was lost, or the reply's code or header says so.
bool IsWorthRetrying(const RetryPolicy& policy, const HttpResult& reply);

// The wait after `attempt` attempts, from 1, when the server asks for none: a part `random`, from 0 to 1, of a time
// that doubles with each attempt, so that clients that failed together do not come back together.
std::chrono::milliseconds BackoffDelay(const RetryPolicy& policy, int attempt, double random);

// A number from 0 to 1, which differs between processes that start together. Thread-safe.
double RandomPart();

// Waits that long, or until go_on() says false. Asks it many times a second.
void Wait(std::chrono::milliseconds time, const std::function<bool()>& go_on);

}  // namespace thimble::net

#endif  // THIMBLE_NET_RETRY_H_
