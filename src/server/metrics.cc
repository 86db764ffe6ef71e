// Prometheus's text form, version 0.0.4.

#include "server/metrics.h"

#include <algorithm>
#include <cstdio>
#include <string_view>

namespace thimble::server {
namespace {

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string Label(std::string_view text) {
  std::string label = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') label += '\\';
    label += c == '\n' ? ' ' : c;
  }
  return label + '"';
}

void Head(std::string& out, const char* name, const char* type, const char* help) {
  out += std::string("# HELP ") + name + ' ' + help + "\n# TYPE " + name + ' ' + type + '\n';
}

template <typename T>
void One(std::string& out, const char* name, const char* type, const char* help, T value) {
  Head(out, name, type, help);
  out += std::string(name) + ' ' + std::to_string(value) + '\n';
}

}  // namespace

void Metrics::Count(const char* route, unsigned status, double seconds, std::size_t texts, std::size_t tokens) {
  std::lock_guard lock(mutex_);
  ++by_status_[{route, status}];
  ++requests_;
  texts_ += texts;
  tokens_ += tokens;
  const auto bucket = static_cast<std::size_t>(std::lower_bound(kLatencyBounds.begin(), kLatencyBounds.end(), seconds) -
                                               kLatencyBounds.begin());
  auto add = [&](Latency& latency) {
    ++latency.buckets[bucket];
    ++latency.count;
    latency.sum += seconds;
  };
  add(latency_[route]);
  if (texts > 0) add(embeddings_);
}

double Metrics::Quantile(double share) const {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kLatencyBounds.size(); ++i) {
    below += embeddings_.buckets[i];
    if (below > 0 && static_cast<double>(below) >= share * static_cast<double>(embeddings_.count)) {
      return kLatencyBounds[i];
    }
  }
  return embeddings_.count == 0 ? 0 : kLatencyBounds.back();
}

Metrics::Summary Metrics::summary() const {
  std::lock_guard lock(mutex_);
  return {.requests = requests_, .texts = texts_, .tokens = tokens_, .median = Quantile(0.5), .p99 = Quantile(0.99)};
}

std::string Metrics::Text(const Gauges& gauges) const {
  std::lock_guard lock(mutex_);
  std::string out;
  Head(out, "thimble_requests_total", "counter", "Requests answered, by route and status.");
  for (const auto& [key, count] : by_status_) {
    out += "thimble_requests_total{route=" + Label(key.first) + ",status=\"" + std::to_string(key.second) + "\"} " +
           std::to_string(count) + '\n';
  }
  Head(out, "thimble_request_seconds", "histogram", "From the first byte of a request to the last of its reply.");
  for (const auto& [route, latency] : latency_) {
    std::uint64_t below = 0;
    const std::string labels = "{route=" + Label(route);
    for (std::size_t i = 0; i < kLatencyBounds.size(); ++i) {
      below += latency.buckets[i];
      out += "thimble_request_seconds_bucket" + labels + ",le=\"" + Number(kLatencyBounds[i]) + "\"} " +
             std::to_string(below) + '\n';
    }
    out += "thimble_request_seconds_bucket" + labels + ",le=\"+Inf\"} " + std::to_string(latency.count) + '\n';
    out += "thimble_request_seconds_sum" + labels + "} " + Number(latency.sum) + '\n';
    out += "thimble_request_seconds_count" + labels + "} " + std::to_string(latency.count) + '\n';
  }
  One(out, "thimble_texts_total", "counter", "Texts embedded.", texts_);
  One(out, "thimble_tokens_total", "counter", "Tokens embedded, special tokens included.", tokens_);
  One(out, "thimble_batches_total", "counter", "Batches that texts were embedded in.", gauges.batcher.batches);
  One(out, "thimble_batch_texts_total", "counter", "Texts of those batches.", gauges.batcher.batch_texts);
  One(out, "thimble_queue_requests", "gauge", "Requests that wait.", gauges.batcher.requests);
  One(out, "thimble_queue_texts", "gauge", "Texts that wait.", gauges.batcher.texts);
  Head(out, "thimble_queue_seconds", "gauge", "What the texts that wait will take, as far as measured.");
  out += "thimble_queue_seconds " + Number(gauges.batcher.seconds_left) + '\n';
  One(out, "thimble_connections", "gauge", "Open connections.", gauges.connections);
  Head(out, "thimble_memory_bytes", "gauge", "Memory by account: the budget, and what is taken of it.");
  const std::pair<const char*, std::size_t> accounts[] = {{"budget", gauges.pool.max_memory},
                                                          {"used", gauges.pool.used_memory},
                                                          {"peak", gauges.pool.peak_memory},
                                                          {"queue", gauges.queue_bytes},
                                                          {"queue_limit", gauges.queue_limit}};
  for (const auto& [account, bytes] : accounts) {
    out += std::string("thimble_memory_bytes{account=\"") + account + "\"} " + std::to_string(bytes) + '\n';
  }
  Head(out, "thimble_model_bytes", "gauge", "Memory of each loaded model: private, and of its mapped file.");
  for (const ModelStats& model : gauges.pool.models) {
    const std::string labels = "thimble_model_bytes{model=" + Label(model.name) + ",dtype=" + Label(model.dtype);
    out += labels + ",kind=\"private\"} " + std::to_string(model.private_bytes) + '\n';
    out += labels + ",kind=\"mapped\"} " + std::to_string(model.mapped_bytes) + '\n';
  }
  One(out, "thimble_model_loads_total", "counter", "Models loaded.", gauges.pool.loads);
  One(out, "thimble_model_unloads_total", "counter", "Models unloaded.", gauges.pool.unloads);
  if (gauges.pool.cache) {
    One(out, "thimble_cache_hits_total", "counter", "Vectors that were in the cache.", gauges.pool.cache->hits);
    One(out, "thimble_cache_misses_total", "counter", "Vectors that were computed.", gauges.pool.cache->misses);
    One(out, "thimble_cache_writes_total", "counter", "Of these, vectors that the cache keeps.",
        gauges.pool.cache->writes);
  }
  One(out, "thimble_refusals_total", "counter", "Calls that found no memory or no turn in time.", gauges.pool.refusals);
  return out;
}

}  // namespace thimble::server
