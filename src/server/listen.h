// Sockets that a server listens on, and its messages to systemd.

#ifndef THIMBLE_SERVER_LISTEN_H_
#define THIMBLE_SERVER_LISTEN_H_

#include <string>
#include <vector>

#include "thimble/status.h"

namespace thimble::server {

// A listening socket. Move-only; closes it, and removes the file of a Unix socket that it made.
class Listener {
 public:
  // "HOST:PORT", "[ADDRESS]:PORT" or "unix:PATH". Port 0 is any that is free. A socket file that nobody listens on is
  // replaced. kInvalidArgument for other text, kNotFound for a host without an address, kIo.
  static Result<Listener> Open(const std::string& where);
  // The sockets that systemd passed to this process (LISTEN_FDS); none without any. kInvalidArgument when one does not
  // listen.
  static Result<std::vector<Listener>> Inherited();

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  int socket() const { return socket_; }
  int family() const { return family_; }
  // "http://127.0.0.1:8080" or "unix:PATH".
  const std::string& address() const { return address_; }
  // Whether only this machine can reach it.
  bool local() const { return local_; }
  // Hands the socket to a caller, who closes it; the file stays this object's.
  int Release();

 private:
  Listener() = default;
  Status Describe();
  int socket_ = -1;
  int family_ = 0;
  std::string address_;
  std::string file_;
  bool local_ = false;
};

// Sends a state such as "READY=1" to the service manager, where there is one (NOTIFY_SOCKET). Nothing waits for it.
void NotifyManager(const std::string& state);

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_LISTEN_H_
