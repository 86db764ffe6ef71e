// The loop: listening, signals, and the end.

#include "server/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <functional>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "server/app.h"
#include "server/connection.h"
#include "server/http.h"
#include "server/listen.h"
#include "server/metrics.h"
#include "server/task.h"

namespace thimble::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<Protocol>;

constexpr auto kTick = std::chrono::seconds(1);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
constexpr char kFull[] =
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    "connection: close\r\n\r\n"
    "{\"error\":{\"message\":\"too many connections\",\"type\":\"server_error\",\"param\":null,\"code\":null},"
    "\"detail\":\"too many connections\"}";

// Null where the options name none.
Result<std::shared_ptr<const TlsCertificate>> LoadCertificate(const ServerOptions& options) {
  if (options.tls_certificate_file.empty()) return std::shared_ptr<const TlsCertificate>();
  return TlsCertificate::Load(options.tls_certificate_file, options.tls_key_file);
}

class Loop {
 public:
  Loop(App& app, const ServerOptions& options, std::shared_ptr<const TlsCertificate> certificate,
       std::vector<Listener>& listeners)
      : app_(app), options_(options), certificate_(std::move(certificate)), signals_(io_), timer_(io_) {
    for (Listener& listener : listeners) {
      acceptors_.emplace_back(io_, Protocol(listener.family(), 0), listener.Release());
    }
  }

  void Run() {
    for (int number : {SIGTERM, SIGINT, SIGHUP}) signals_.add(number);
    std::vector<Task> tasks(2 + acceptors_.size());
    tasks[0].work = [this] { return TakeSignals(); };
    tasks[1].work = [this] { return Tick(); };
    for (std::size_t i = 0; i < acceptors_.size(); ++i) {
      tasks[2 + i].work = [this, i] { return Accept(acceptors_[i]); };
    }
    const auto run = [&] {
      io_.restart();
      for (Task& task : tasks) {
        if (task.state == Task::State::kLost) Start(task);
      }
      io_.run();
      return Status();
    };
    const auto any_lost = [&] {
      return std::any_of(tasks.begin(), tasks.end(), [](const Task& task) { return task.state == Task::State::kLost; });
    };
    while (!base::Guarded(run).ok() || any_lost()) WaitForMemory();
  }

 private:
  // A coroutine that runs as long as the loop. Exhausted memory ends it, by an exception or, where that was needed to
  // wait for an operation, by having Boost.Asio destroy it. It is then lost, and started again.
  struct Task {
    enum class State { kLost, kRunning, kDone };

    std::function<asio::awaitable<void>()> work;
    State state = State::kLost;
  };

  void Start(Task& task) {
    task.state = Task::State::kRunning;
    const auto run = [&task]() -> asio::awaitable<void> {
      co_await task.work();
      task.state = Task::State::kDone;
    };
    Spawn(io_.get_executor(), run, [this, &task] {
      if (task.state == Task::State::kDone) return;
      task.state = Task::State::kLost;
      io_.stop();  // Until it is started again.
    });
  }

  void Stop() {
    if (stopping_) return;
    stopping_ = true;
    [[maybe_unused]] const Status logged = base::Guarded([&] {
      NotifyManager("STOPPING=1");
      LogEvent("stopping", std::to_string(connections_.size()) + " connections are open");
      return Status();
    });
    app_.Stop();
    error_code ignored;
    for (Acceptor& acceptor : acceptors_) acceptor.close(ignored);
    timer_.cancel();
    for (const auto& [key, connection] : connections_) connection->Stop();
    if (connections_.empty()) signals_.cancel(ignored);
  }

  asio::awaitable<void> TakeSignals() {
    while (!stopping_ || !connections_.empty()) {
      error_code error;
      const int number = co_await signals_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      if (number == SIGHUP) {
        LogReload("API keys", app_.ReloadKeys());
        if (certificate_ != nullptr) LogReload("TLS certificate", ReloadCertificate());
      } else if (stopping_) {
        std::_Exit(1);
      } else {
        Stop();
      }
    }
  }

  static void LogReload(const char* what, const Status& status) {
    LogEvent(status.ok() ? "reloaded" : "not reloaded", status.ok() ? what : status.message());
  }

  // For connections that begin after it.
  Status ReloadCertificate() {
    THIMBLE_ASSIGN_OR_RETURN(certificate_, LoadCertificate(options_));
    return Status();
  }

  asio::awaitable<void> Tick() {
    while (!stopping_) {
      timer_.expires_after(kTick);
      error_code error;
      co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      app_.Tick();
      TrimWhenIdle();
      if (options_.idle_exit && app_.IdleTime() >= *options_.idle_exit) Stop();
    }
  }

  // Gives back what requests and connections left in the heap, once after each time of work.
  void TrimWhenIdle() {
    most_connections_ = std::max(most_connections_, connections_.size());
    if (app_.IdleTime() < kTick) {
      trimmed_ = false;
    } else if (!trimmed_ || connections_.size() < most_connections_) {
      trimmed_ = true;
      most_connections_ = connections_.size();
#ifdef __GLIBC__
      malloc_trim(0);
#endif
    }
  }

  asio::awaitable<void> Accept(Acceptor& acceptor) {
    while (!stopping_) co_await AcceptOne(acceptor);
  }

  asio::awaitable<void> AcceptOne(Acceptor& acceptor) {
    error_code error;
    Socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (stopping_) co_return;
    if (error) {
      // Most likely no descriptor is free.
      asio::steady_timer pause(io_, kAcceptPause);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      co_return;
    }
    const int yes = 1;
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // Fails on a Unix socket.
    if (connections_.size() >= options_.max_connections && !EndIdle()) {
      if (certificate_ == nullptr) ::send(socket.native_handle(), kFull, sizeof kFull - 1, MSG_DONTWAIT);
      co_return;
    }
    Add(std::move(socket));
  }

  void Add(Socket socket) {
    const std::shared_ptr<Connection> connection = Connection::Create(std::move(socket), app_, options_, certificate_);
    connections_.emplace(connection.get(), connection);
    app_.SetConnections(connections_.size());
    connection->Start([this, key = connection.get()] {
      connections_.erase(key);
      app_.SetConnections(connections_.size());
      error_code ignored;
      if (stopping_ && connections_.empty()) signals_.cancel(ignored);
    });
  }

  // Ends the connection that has waited longest for a request; false when none waits.
  bool EndIdle() {
    Connection* oldest = nullptr;
    for (const auto& [key, connection] : connections_) {
      if (!connection->idle_since()) continue;
      if (oldest == nullptr || *connection->idle_since() < *oldest->idle_since()) oldest = key;
    }
    if (oldest == nullptr) return false;
    oldest->Stop();
    connections_.erase(oldest);
    return true;
  }

  App& app_;
  const ServerOptions& options_;
  std::shared_ptr<const TlsCertificate> certificate_;  // Null where nothing is encrypted.
  asio::io_context io_{1};
  asio::signal_set signals_;
  asio::steady_timer timer_;
  std::vector<Acceptor> acceptors_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  bool stopping_ = false;
  bool trimmed_ = true;
  std::size_t most_connections_ = 0;  // Seen since then.
};

Result<std::vector<Listener>> Listen(const ServerOptions& options, bool has_keys) {
  THIMBLE_ASSIGN_OR_RETURN(std::vector<Listener> listeners, Listener::Inherited());
  if (listeners.empty()) {
    for (const std::string& where : options.listen) {
      THIMBLE_ASSIGN_OR_RETURN(Listener listener, Listener::Open(where));
      listeners.push_back(std::move(listener));
    }
  }
  for (const Listener& listener : listeners) {
    if (listener.local() || has_keys) continue;
    return Error(Code::kInvalidArgument, "listening on ", listener.address(),
                 ": other machines can reach that address, and there is no API key; pass --api-key-file, set "
                 "THIMBLE_API_KEYS, or listen on 127.0.0.1");
  }
  return listeners;
}

// As clients write it.
std::string AddressOf(const Listener& listener, bool encrypted) {
  const std::string& address = listener.address();
  return encrypted && address.starts_with("http:") ? "https" + address.substr(4) : address;
}

}  // namespace

Status Serve(const ServerOptions& options) {
#ifdef __GLIBC__
  // Large buffers go back to the system when they are freed, whatever came before them.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 256 << 10);
  mallopt(M_ARENA_MAX, 2);
#endif
  return base::Guarded([&]() -> Status {
    THIMBLE_ASSIGN_OR_RETURN(const std::shared_ptr<const TlsCertificate> certificate, LoadCertificate(options));
    THIMBLE_ASSIGN_OR_RETURN(const std::unique_ptr<App> app, App::Create(options));
    THIMBLE_ASSIGN_OR_RETURN(std::vector<Listener> listeners, Listen(options, app->has_keys()));
    Loop loop(*app, options, certificate, listeners);
    for (const Listener& listener : listeners) LogEvent("listening", AddressOf(listener, certificate != nullptr));
    NotifyManager("READY=1");
    loop.Run();
    LogEvent("stopped", "every request was answered");
    return Status();
  });
}

}  // namespace thimble::server
