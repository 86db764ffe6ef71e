// Connections for as many requests as are under way.

#include "backends/environment.h"

#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "net/retry.h"

namespace thimble::backends {
namespace {

class System final : public Environment {
 public:
  net::HttpReply Send(const net::HttpCall& call, const std::function<bool()>& go_on) override {
    std::optional<net::Http> http;
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        http.emplace(std::move(idle_.back()));
        idle_.pop_back();
      }
    }
    if (!http) {
      Result<net::Http> created = net::Http::Create();
      if (!created.ok()) {
        net::HttpReply reply;
        reply.status = created.status();
        return reply;
      }
      http.emplace(*std::move(created));
    }
    net::HttpReply reply = http->Send(call, go_on);
    const std::lock_guard lock(mutex_);
    idle_.push_back(*std::move(http));
    return reply;
  }

  std::chrono::steady_clock::time_point Now() override { return std::chrono::steady_clock::now(); }
  std::chrono::system_clock::time_point Today() override { return std::chrono::system_clock::now(); }

  void Sleep(std::chrono::milliseconds time, const std::function<bool()>& go_on) override { net::Wait(time, go_on); }
  double Random() override { return net::RandomPart(); }

 private:
  std::mutex mutex_;
  std::vector<net::Http> idle_;
};

}  // namespace

std::unique_ptr<Environment> SystemEnvironment() { return std::make_unique<System>(); }

}  // namespace thimble::backends
