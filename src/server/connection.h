// One connection of a client: requests one after the other.

#ifndef THIMBLE_SERVER_CONNECTION_H_
#define THIMBLE_SERVER_CONNECTION_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "server/app.h"
#include "server/stream.h"

namespace thimble::server {

using Socket = Stream::Socket;

// For the loop's thread. A slow client has a few kilobytes, and what it has sent of a body.
class Connection {
 public:
  // Encrypted where there is a certificate. `app` and `options` must outlive it.
  static std::shared_ptr<Connection> Create(Socket socket, App& app, const ServerOptions& options,
                                            std::shared_ptr<const TlsCertificate> certificate);

  virtual ~Connection() = default;
  // Reads requests from the socket and writes replies, until either side ends it, a limit of `options` is reached or
  // memory is exhausted; then calls `ended`, also where this throws.
  virtual void Start(std::function<void()> ended) = 0;
  // Ends it once the request in hand, if any, has its reply.
  virtual void Stop() = 0;
  // Since when it waits for a request; unset while it has one.
  virtual std::optional<std::chrono::steady_clock::time_point> idle_since() const = 0;
};

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_CONNECTION_H_
