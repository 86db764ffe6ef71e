// A server without its sockets: what is done with each request.

#ifndef THIMBLE_SERVER_APP_H_
#define THIMBLE_SERVER_APP_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/executor.h"
#include "server/batcher.h"
#include "server/catalogue.h"
#include "server/dialects.h"
#include "server/http.h"
#include "server/keys.h"
#include "server/metrics.h"
#include "server/problem.h"
#include "server/routes.h"
#include "server/server.h"
#include "thimble/pool.h"

namespace thimble::server {

inline constexpr std::size_t kMostEscapedBytes = 6;  // Of one byte of a text in JSON.

// A request on its way. Belongs to the loop's thread until Run, then to whoever works at it, and to the loop's thread
// again once `done` was called.
struct Exchange {
  HttpHead head;
  std::string id;  // For x-request-id and the log.
  const Route* route = nullptr;
  std::chrono::steady_clock::time_point begin;
  std::string body;
  std::optional<HttpReply> reply;
  HttpReply exhausted;         // For when there is no memory to make one.
  std::function<void()> done;  // Called once, when `reply` is there, on any thread. Does not throw.

  EmbedRequest request;
  const ServedModel* model = nullptr;
  std::size_t texts = 0;  // Embedded.
  std::size_t tokens = 0;
  std::size_t bytes_in = 0;
  bool counted = false;                  // Among those at work.
  std::vector<QueueBudget::Hold> holds;  // Until the reply is sent.

  // Whether the client has gone.
  bool gone() const {
    std::lock_guard lock(mutex_);
    return gone_;
  }
  // The work, as any thread may ask for it. False when the client has gone before.
  bool SetWork(std::shared_ptr<EmbedWork> made) {
    std::lock_guard lock(mutex_);
    if (gone_) return false;
    work_ = std::move(made);
    return true;
  }
  std::shared_ptr<EmbedWork> work() const {
    std::lock_guard lock(mutex_);
    return work_;
  }
  std::shared_ptr<EmbedWork> Abandon() {
    std::lock_guard lock(mutex_);
    gone_ = true;
    return work_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<EmbedWork> work_;
  bool gone_ = false;
};
using ExchangePtr = std::shared_ptr<Exchange>;

// Begin, HoldBody, Finish, Tick and Stop are for one thread, the loop's.
class App {
 public:
  static Result<std::unique_ptr<App>> Create(const ServerOptions& options);

  // A request whose header is in. It has a reply already where it needs no body or may not go on.
  ExchangePtr Begin(HttpHead head);
  // Something that is no request, with its reply.
  ExchangePtr BeginBroken(const Problem& problem);
  // Takes memory for `bytes` more of its body; where there is none, the exchange has a reply.
  bool HoldBody(const ExchangePtr& exchange, std::size_t bytes);
  // Gives it a reply that says what is wrong.
  void Fail(const ExchangePtr& exchange, Problem problem) const;
  // Answers it, with its body there. What was accepted gets its reply even after Stop. Throws only before `done` may be
  // called.
  void Run(const ExchangePtr& exchange, std::function<void()> done);
  // Its client has gone: what waits is dropped, and `done` follows.
  void Cancel(const ExchangePtr& exchange);
  // Its reply was sent, or could not be.
  void Finish(const ExchangePtr& exchange, std::size_t bytes_out, bool sent);

  // Bytes.
  std::size_t max_body() const { return options_.max_body; }
  bool has_keys() const { return !keys_.empty(); }
  Status ReloadKeys();
  void SetConnections(std::size_t connections) { connections_ = connections; }
  // Unloads what is no longer to be kept. To be called about once a second.
  void Tick();
  void Stop() { stopping_ = true; }
  // Time since anything was embedded or asked to be.
  std::chrono::nanoseconds IdleTime() const;

 private:
  using Clock = std::chrono::steady_clock;

  App(const ServerOptions& options, ModelPool pool, Catalogue catalogue, Keys keys, std::size_t queue_bytes);

  // Of requests without a body.
  void Answer(const ExchangePtr& exchange);
  HttpReply Health(const HttpHead& head) const;
  void Root(const ExchangePtr& exchange);
  // With the likeness of the two texts of the query, or what is wrong with them.
  HttpReply Page(const ExchangePtr& exchange, std::span<const float> likeness, const std::string& error) const;
  Gauges ReadGauges() const;
  std::string TeiInfo() const;
  std::string OllamaTags() const;
  std::string OllamaRunning();
  std::string Models() const;
  HttpReply Model(const HttpHead& head) const;

  // Takes memory until the reply is sent.
  std::optional<Problem> Hold(const ExchangePtr& exchange, std::size_t bytes);

  // Of requests with one. Each ends with a reply or with work that leads to it.
  void ReadBody(const ExchangePtr& exchange);
  Parsed Parse(const ExchangePtr& exchange, const Json& body);
  std::optional<Problem> Start(const ExchangePtr& exchange, bool& waits);
  std::optional<Problem> Embed(const ExchangePtr& exchange, const std::shared_ptr<EmbedWork>& work, bool& waits);
  // Whether a request has more tokens than allowed; may wait for its model.
  std::optional<Problem> CountTokens(const Exchange& exchange, const VectorOptions& options);
  std::optional<Problem> CheckTokens(std::size_t tokens, const char* field) const;
  void Reply(const ExchangePtr& exchange);
  std::optional<Problem> ReplyWithVectors(const ExchangePtr& exchange);
  std::optional<Problem> EmbedAll(const ExchangePtr& exchange);
  // Sets the model of a request: the one of that name or, without a name, the first that serves the purpose.
  enum class Purpose { kEmbed, kRank };
  std::optional<Problem> ChooseModel(const ExchangePtr& exchange, const std::string& name, Purpose purpose) const;
  std::optional<Problem> StartRerank(const ExchangePtr& exchange, const Json& body, bool& waits);
  std::optional<Problem> Rerank(const ExchangePtr& exchange, const RerankRequest& request);
  std::optional<Problem> Tokenize(const ExchangePtr& exchange, const Json& body);
  std::optional<Problem> Decode(const ExchangePtr& exchange, const Json& body);
  std::optional<Problem> Show(const ExchangePtr& exchange, const Json& body) const;
  void Keep(const ServedModel& model, std::chrono::nanoseconds time);
  // Does not throw.
  void End(const ExchangePtr& exchange, std::optional<Problem> problem) const;
  // A step of an exchange, which ends with it unless `waits` is set: then something else ends it, or has already.
  using Step = std::function<std::optional<Problem>(bool& waits)>;
  // Runs it on a thread of the executor; ends the exchange where there is none.
  void RunElsewhere(const ExchangePtr& exchange, Step step);

  const ServerOptions options_;
  const Clock::time_point begin_ = Clock::now();
  ModelPool pool_;
  const Catalogue catalogue_;
  Keys keys_;
  QueueBudget budget_;
  Metrics metrics_;
  std::atomic<std::size_t> connections_ = 0;
  std::atomic<bool> stopping_ = false;
  Clock::time_point last_work_ = Clock::now();
  std::size_t at_work_ = 0;  // Requests that embed, not finished.
  std::uint64_t next_id_ = 0;
  std::string id_prefix_;

  std::mutex keep_mutex_;
  std::map<const ServedModel*, Clock::time_point> keep_until_;

  // The executor goes first, then what its jobs use.
  std::unique_ptr<Batcher> batcher_;
  runtime::Executor executor_;
};

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_APP_H_
