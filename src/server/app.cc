// The life of a request: header, body, reply, log.

#include "server/app.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "base/processors.h"
#include "server/metrics.h"

namespace thimble::server {
namespace {

constexpr std::size_t kMostRequestId = 64;
// The share of a pool's budget that waiting requests may take.
constexpr std::size_t kQueueShare = 4;

bool IsRequestId(const std::string& id) {
  return !id.empty() && id.size() <= kMostRequestId && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.';
  });
}

std::string RandomPrefix() {
  // Needs no /dev/urandom, which a container may lack.
  std::uint32_t number = 0;
  if (getentropy(&number, sizeof number) != 0) number = static_cast<std::uint32_t>(getpid());
  char text[16];
  std::snprintf(text, sizeof text, "%08x", number);
  return text;
}

Status EmbedWithPool(ModelPool& pool, const ServedModel& model, std::span<const std::string_view> texts,
                     const VectorOptions& options, std::span<float> vectors, std::span<Report> reports,
                     std::chrono::nanoseconds& load) {
  const auto begin = std::chrono::steady_clock::now();
  THIMBLE_ASSIGN_OR_RETURN(Lease lease, pool.Acquire(model.opened.name, model.opened.dtype));
  load += std::chrono::steady_clock::now() - begin;
  if (lease.model().dimensions() != model.info.dimensions) {
    return Error(Code::kCorrupt, "model ", model.id, ": has ", lease.model().dimensions(), " dimensions, had ",
                 model.info.dimensions, " when the server started");
  }
  return lease.EmbedBatch(texts, vectors, reports, options);
}

}  // namespace

Result<std::unique_ptr<App>> App::Create(const ServerOptions& options) {
  THIMBLE_ASSIGN_OR_RETURN(Keys keys, Keys::Load(options.api_key_file));
  THIMBLE_ASSIGN_OR_RETURN(ModelPool pool, ModelPool::Create(options.pool));
  THIMBLE_ASSIGN_OR_RETURN(Catalogue catalogue, Catalogue::Open(options.models, pool));
  THIMBLE_ASSIGN_OR_RETURN(const PoolStats stats, pool.Stats());
  const std::size_t queue = std::min(options.max_queue, stats.max_memory / kQueueShare);
  return std::unique_ptr<App>(new App(options, std::move(pool), std::move(catalogue), std::move(keys), queue));
}

App::App(const ServerOptions& options, ModelPool pool, Catalogue catalogue, Keys keys, std::size_t queue_bytes)
    : options_(options),
      pool_(std::move(pool)),
      catalogue_(std::move(catalogue)),
      keys_(std::move(keys)),
      budget_(pool_, queue_bytes),
      id_prefix_(RandomPrefix()) {
  batcher_ = std::make_unique<Batcher>(
      [this](const ServedModel& model, std::span<const std::string_view> texts, const VectorOptions& vector_options,
             std::span<float> vectors, std::span<Report> reports, std::chrono::nanoseconds& load) {
        return EmbedWithPool(pool_, model, texts, vector_options, vectors, reports, load);
      },
      executor_, Batcher::Limits{.threads = base::UsableProcessors()});
}

ExchangePtr App::Begin(HttpHead head) {
  auto exchange = std::make_shared<Exchange>();
  exchange->begin = Clock::now();
  exchange->head = std::move(head);
  exchange->id = IsRequestId(exchange->head.request_id) ? exchange->head.request_id
                                                        : id_prefix_ + "-" + std::to_string(next_id_++);
  exchange->route = &FindRoute(exchange->head.method, exchange->head.path);
  const Route& route = *exchange->route;
  exchange->exhausted = ErrorReply(route.dialect, ProblemOf(Status(Code::kOutOfMemory, "out of memory")));
  const bool page = route.action == Action::kRoot && exchange->head.accept.find("text/html") != std::string::npos;
  if ((!route.open || page) && !keys_.Accept(exchange->head)) {
    Fail(exchange,
         {.fault = Fault::kBadKey, .message = "this server needs an API key: send it as Authorization: Bearer KEY"});
    if (route.dialect == Dialect::kTei) exchange->reply->body.clear();  // As TEI does it.
  } else if (route.action == Action::kNone) {
    if (const char* method = OtherMethod(exchange->head.path)) {
      Fail(exchange, {.fault = Fault::kMethod,
                      .message = "expected " + std::string(method) + " for this path, found " + exchange->head.method});
      exchange->reply->headers.emplace_back("allow", method);
    } else {
      Fail(exchange, {.fault = Fault::kNoRoute, .message = "there is nothing at this path"});
    }
  } else if (stopping_ && !route.open) {
    Fail(exchange, {.fault = Fault::kStopping, .message = "the server is stopping", .retry_after = 1});
    exchange->reply->close = true;
  } else if (const std::string& encoding = exchange->head.content_encoding;
             !encoding.empty() && Lower(encoding) != "identity") {
    Fail(exchange, {.fault = Fault::kEncoding,
                    .message = "content-encoding: expected a body that is not compressed, found " + encoding});
  } else if (std::string_view(route.method) == "POST") {
    ++at_work_;
    exchange->counted = true;
    last_work_ = Clock::now();
  }
  return exchange;
}

ExchangePtr App::BeginBroken(const Problem& problem) {
  auto exchange = std::make_shared<Exchange>();
  exchange->begin = Clock::now();
  exchange->id = id_prefix_ + "-" + std::to_string(next_id_++);
  exchange->route = &FindRoute({}, {});
  Fail(exchange, problem);
  return exchange;
}

bool App::HoldBody(const ExchangePtr& exchange, std::size_t bytes) {
  exchange->bytes_in += bytes;
  std::optional<Problem> problem = Hold(exchange, bytes);
  if (problem) Fail(exchange, *std::move(problem));
  return !exchange->reply;
}

std::optional<Problem> App::Hold(const ExchangePtr& exchange, std::size_t bytes) {
  Result<QueueBudget::Hold> hold = budget_.Take(bytes);
  if (!hold.ok()) return ProblemOf(hold.status());
  exchange->holds.push_back(*std::move(hold));
  return std::nullopt;
}

void App::Fail(const ExchangePtr& exchange, Problem problem) const {
  if (problem.fault == Fault::kBusy) problem.retry_after = std::max(1.0, batcher_->stats().seconds_left);
  exchange->reply = ErrorReply(exchange->route->dialect, problem);
}

void App::End(const ExchangePtr& exchange, std::optional<Problem> problem) const {
  const Status status = base::Guarded([&] {
    if (problem) Fail(exchange, *std::move(problem));
    if (!exchange->reply) Fail(exchange, {.fault = Fault::kInternal, .message = "no reply was made"});
    return Status();
  });
  if (!status.ok()) exchange->reply = std::move(exchange->exhausted);
  exchange->done();
}

void App::Cancel(const ExchangePtr& exchange) {
  if (const std::shared_ptr<EmbedWork> work = exchange->Abandon()) batcher_->Cancel(work);
}

void App::Finish(const ExchangePtr& exchange, std::size_t bytes_out, bool sent) {
  const std::chrono::duration<double> took = Clock::now() - exchange->begin;
  const Route& route = *exchange->route;
  const unsigned status = !sent ? 499 : exchange->reply->status;
  if (exchange->counted) {
    --at_work_;
    last_work_ = Clock::now();
  }
  metrics_.Count(route.path, status, took.count(), exchange->texts, exchange->tokens);
  const std::shared_ptr<EmbedWork> work = exchange->work();
  const auto milliseconds = [](double seconds) { return std::round(seconds * 1e6) / 1e3; };
  // The path may hold anything, so that the line names the route.
  LogLine({{"id", exchange->id},
           {"method", exchange->head.method},
           {"route", route.path},
           {"model", exchange->model == nullptr ? Json() : exchange->model->id},
           {"status", status},
           {"texts", exchange->texts},
           {"tokens", exchange->tokens},
           {"bytes_in", exchange->bytes_in},
           {"bytes_out", bytes_out},
           {"queue_ms", work == nullptr ? 0.0 : milliseconds(static_cast<double>(work->waited.count()) * 1e-9)},
           {"ms", milliseconds(took.count())}});
}

Status App::ReloadKeys() {
  THIMBLE_ASSIGN_OR_RETURN(Keys keys, Keys::Load(options_.api_key_file));
  if (keys.empty() && !keys_.empty()) return Error(Code::kInvalidArgument, "API keys: none is left");
  keys_ = std::move(keys);
  return Status();
}

std::chrono::nanoseconds App::IdleTime() const {
  return at_work_ > 0 ? std::chrono::nanoseconds(0) : Clock::now() - last_work_;
}

void App::Keep(const ServedModel& model, std::chrono::nanoseconds time) {
  if (time.count() != 0) {
    // The model was used just now; if it cannot stay, its vectors are none the worse.
    if (!pool_.Pin(model.opened.name, model.opened.dtype).ok()) return;
  }
  std::lock_guard lock(keep_mutex_);
  keep_until_[&model] = time.count() < 0 ? Clock::time_point::max() : Clock::now() + time;
}

void App::Tick() {
  std::lock_guard lock(keep_mutex_);
  if (keep_until_.empty()) return;
  const Clock::time_point now = Clock::now();
  const Result<PoolStats> stats = pool_.Stats();
  if (!stats.ok()) return;
  // Unload would wait for whoever uses the model.
  auto in_use = [&](const ServedModel& model) {
    return std::any_of(stats->models.begin(), stats->models.end(),
                       [&](const ModelStats& other) { return other.leases > 0 && other.name == model.opened.name; });
  };
  for (auto kept = keep_until_.begin(); kept != keep_until_.end();) {
    if (kept->second > now || in_use(*kept->first)) {
      ++kept;
      continue;
    }
    const auto unload = [this, model = kept->first->opened] { pool_.Unload(model.name, model.dtype); };
    if (!executor_.Submit(std::make_shared<CallJob>(unload)).ok()) return;
    kept = keep_until_.erase(kept);
  }
}

void App::RunElsewhere(const ExchangePtr& exchange, Step step) {
  auto run = [this, exchange, step = std::move(step)] {
    std::optional<Problem> problem;
    bool waits = false;
    const Status status = base::Guarded([&] {
      problem = step(waits);
      return Status();
    });
    if (!status.ok()) problem = ProblemOf(status);
    if (!waits) End(exchange, std::move(problem));
  };
  const Status status = executor_.Submit(std::make_shared<CallJob>(std::move(run)));
  if (!status.ok()) End(exchange, ProblemOf(status));
}

void App::Run(const ExchangePtr& exchange, std::function<void()> done) {
  exchange->done = std::move(done);
  const Status status = base::Guarded([&] {
    if (std::string_view(exchange->route->method) == "POST") {
      ReadBody(exchange);
    } else {
      Answer(exchange);
    }
    return Status();
  });
  if (!status.ok()) End(exchange, ProblemOf(status));
}

}  // namespace thimble::server
