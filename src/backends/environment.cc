// Connections for as many requests as are under way.

#include "backends/environment.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace thimble::backends {
namespace {

// How often a wait asks whether to go on.
constexpr std::chrono::milliseconds kNap(20);

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

  void Sleep(std::chrono::milliseconds time, const std::function<bool()>& go_on) override {
    const auto end = Now() + time;
    for (auto now = Now(); now < end && go_on(); now = Now()) {
      std::this_thread::sleep_for(std::min<std::chrono::steady_clock::duration>(kNap, end - now));
    }
  }

  double Random() override {
    const std::lock_guard lock(mutex_);
    return std::uniform_real_distribution<double>(0, 1)(random_);
  }

 private:
  std::mutex mutex_;
  std::vector<net::Http> idle_;
  // Processes that start together differ in nanoseconds, which is enough to spread their attempts.
  std::minstd_rand random_{static_cast<unsigned>(std::chrono::steady_clock::now().time_since_epoch().count())};
};

}  // namespace

std::unique_ptr<Environment> SystemEnvironment() { return std::make_unique<System>(); }

}  // namespace thimble::backends
