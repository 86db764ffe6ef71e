// The network and the time as clients see them, so that tests can put something in their place.

#ifndef THIMBLE_BACKENDS_ENVIRONMENT_H_
#define THIMBLE_BACKENDS_ENVIRONMENT_H_

#include <chrono>
#include <functional>
#include <memory>

#include "net/http.h"

namespace thimble::backends {

// Thread-safe.
class Environment {
 public:
  virtual ~Environment() = default;
  virtual net::HttpReply Send(const net::HttpCall& call, const std::function<bool()>& go_on) = 0;
  virtual std::chrono::steady_clock::time_point Now() = 0;
  virtual std::chrono::system_clock::time_point Today() = 0;
  // Waits that long, or until go_on() says false.
  virtual void Sleep(std::chrono::milliseconds time, const std::function<bool()>& go_on) = 0;
  // From 0 to 1.
  virtual double Random() = 0;
};

// libcurl, with connections that are used again, and the clocks of the system.
std::unique_ptr<Environment> SystemEnvironment();

}  // namespace thimble::backends

#endif  // THIMBLE_BACKENDS_ENVIRONMENT_H_
