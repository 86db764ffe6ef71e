// What a server counts, its text for Prometheus, and its log.

#ifndef THIMBLE_SERVER_METRICS_H_
#define THIMBLE_SERVER_METRICS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "json/value.h"
#include "server/batcher.h"
#include "thimble/pool.h"

namespace thimble::server {

// Upper bounds of the latency histogram, in seconds.
inline constexpr std::array kLatencyBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                              0.25,  0.5,    1.0,   2.5,  5.0,   10.0};

// What stands beside the counts.
struct Gauges {
  PoolStats pool = {};
  Batcher::Stats batcher = {};
  std::size_t queue_bytes = 0;
  std::size_t queue_limit = 0;
  std::size_t connections = 0;
};

// Thread-safe.
class Metrics {
 public:
  // A request that was answered. `route` is one of the server's own, never what a client sent.
  void Count(const char* route, unsigned status, double seconds, std::size_t texts, std::size_t tokens);

  std::string Text(const Gauges& gauges) const;

  struct Summary {
    std::uint64_t requests = 0;
    std::uint64_t texts = 0;
    std::uint64_t tokens = 0;
    // Bounds of what the requests that embedded something took, in seconds; 0 without any.
    double median = 0;
    double p99 = 0;
  };
  Summary summary() const;

 private:
  struct Latency {
    std::array<std::uint64_t, kLatencyBounds.size() + 1> buckets = {};  // The last is above all bounds.
    std::uint64_t count = 0;
    double sum = 0;
  };
  double Quantile(double share) const;

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, unsigned>, std::uint64_t> by_status_;
  std::map<std::string, Latency> latency_;
  Latency embeddings_;
  std::uint64_t requests_ = 0;
  std::uint64_t texts_ = 0;
  std::uint64_t tokens_ = 0;
};

// Lines of JSON on standard error.

// {"time":...,FIELDS}. Never waits: a line that nobody takes is dropped.
void LogLine(const json::Object& fields);
// {"time":...,"event":EVENT,"text":TEXT}
void LogEvent(const std::string& event, const std::string& text);

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_METRICS_H_
