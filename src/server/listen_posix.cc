// Opening sockets, and the two protocols of systemd, written out because they are a few lines each.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "server/listen.h"

namespace thimble::server {
namespace {

constexpr int kBacklog = 512;
constexpr int kFirstInherited = 3;
constexpr char kUnix[] = "unix:";

Result<sockaddr_un> UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error(Code::kInvalidArgument, "--listen unix:", path, ": expected a path of 1 to ",
                 sizeof address.sun_path - 1, " bytes, found ", path.size());
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Whether anything accepts connections there.
bool Answers(const sockaddr_un& address) {
  const int probe = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (probe < 0) return true;
  const bool answers = ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(probe);
  return answers;
}

bool IsLoopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24 == 127;
  }
  if (address.ss_family == AF_INET6) {
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr) != 0;
  }
  return address.ss_family == AF_UNIX;
}

void SetFlags(int socket) {
  ::fcntl(socket, F_SETFD, FD_CLOEXEC);
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

}  // namespace

Listener::Listener(Listener&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      family_(other.family_),
      address_(std::move(other.address_)),
      file_(std::exchange(other.file_, {})),
      local_(other.local_) {}

Listener::~Listener() {
  if (socket_ >= 0) ::close(socket_);
  if (!file_.empty()) ::unlink(file_.c_str());
}

int Listener::Release() { return std::exchange(socket_, -1); }

Status Listener::Describe() {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  if (::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return SystemError(errno, "getsockname of", "a listening socket");
  }
  family_ = address.ss_family;
  local_ = IsLoopback(address);
  if (family_ == AF_UNIX) {
    address_ = kUnix + std::string(reinterpret_cast<const sockaddr_un&>(address).sun_path);
    return Status();
  }
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return Error(Code::kUnsupported, "a listening socket is of family ", family_, ", neither of TCP nor of Unix");
  }
  address_ =
      family_ == AF_INET6 ? "http://[" + std::string(host) + "]:" + port : "http://" + std::string(host) + ":" + port;
  return Status();
}

Result<Listener> Listener::Open(const std::string& where) {
  Listener listener;
  if (where.starts_with(kUnix)) {
    const std::string path = where.substr(sizeof kUnix - 1);
    THIMBLE_ASSIGN_OR_RETURN(const sockaddr_un address, UnixAddress(path));
    struct stat found = {};
    if (::lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode) && !Answers(address)) ::unlink(path.c_str());
    listener.socket_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener.socket_ < 0) return SystemError(errno, "socket for", where);
    if (::bind(listener.socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return SystemError(errno, "cannot listen on", where);
    }
    listener.file_ = path;
    ::chmod(path.c_str(), 0600);
  } else {
    const std::size_t colon = where.rfind(':');
    std::string host = where.substr(0, colon == std::string::npos ? 0 : colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    std::uint16_t number = 0;
    const char* end = where.data() + where.size();
    const char* digits = colon == std::string::npos ? end : where.data() + colon + 1;
    const auto [stop, bad] = std::from_chars(digits, end, number);
    if (host.empty() || digits == end || stop != end || bad != std::errc()) {
      return Error(Code::kInvalidArgument, "--listen ", where, ": expected HOST:PORT or unix:PATH");
    }
    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(host.c_str(), std::to_string(number).c_str(), &hints, &list);
    const std::unique_ptr<addrinfo, FreeAddresses> addresses(list);
    if (error != 0) return Error(Code::kNotFound, "--listen ", where, ": ", ::gai_strerror(error));
    listener.socket_ = ::socket(list->ai_family, SOCK_STREAM, 0);
    if (listener.socket_ < 0) return SystemError(errno, "socket for", where);
    const int yes = 1;
    ::setsockopt(listener.socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(listener.socket_, list->ai_addr, list->ai_addrlen) != 0) {
      return SystemError(errno, "cannot listen on", where);
    }
  }
  if (::listen(listener.socket_, kBacklog) != 0) return SystemError(errno, "cannot listen on", where);
  SetFlags(listener.socket_);
  THIMBLE_RETURN_IF_ERROR(listener.Describe());
  return listener;
}

Result<std::vector<Listener>> Listener::Inherited() {
  std::vector<Listener> listeners;
  const char* process = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (process == nullptr || count == nullptr || process != std::to_string(::getpid())) return listeners;
  const int sockets = std::atoi(count);
  for (int i = 0; i < sockets; ++i) {
    Listener listener;
    listener.socket_ = kFirstInherited + i;
    int listens = 0;
    socklen_t size = sizeof listens;
    if (::getsockopt(listener.socket_, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) {
      return Error(Code::kInvalidArgument, "LISTEN_FDS: descriptor ", listener.socket_, " is no listening socket");
    }
    SetFlags(listener.socket_);
    THIMBLE_RETURN_IF_ERROR(listener.Describe());
    listeners.push_back(std::move(listener));
  }
  return listeners;
}

void NotifyManager(const std::string& state) {
  const char* where = std::getenv("NOTIFY_SOCKET");
  if (where == nullptr || *where == '\0') return;
  Result<sockaddr_un> address = UnixAddress(where);
  if (!address.ok()) return;
  if (address->sun_path[0] == '@') address->sun_path[0] = '\0';
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  if (socket < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(where));
  ::sendto(socket, state.data(), state.size(), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&*address), size);
  ::close(socket);
}

}  // namespace thimble::server
