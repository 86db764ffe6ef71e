// Sends requests from several threads, and puts together what came.

#include "backends/client.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/guard.h"
#include "base/thread.h"

namespace thimble::backends {
namespace {

using std::chrono::milliseconds;

// How often a wait asks whether to go on.
constexpr milliseconds kNap(50);

bool IsGood(long code) { return code >= 200 && code < 300; }
bool IsRedirect(long code) { return code >= 300 && code < 400; }

std::vector<std::string_view> TextsOf(std::span<Item* const> items) {
  std::vector<std::string_view> texts;
  texts.reserve(items.size());
  for (const Item* item : items) texts.push_back(item->text);
  return texts;
}

// The error of a request, with the texts that it is about.
Status Located(const Status& status, std::span<Item* const> items) {
  const std::size_t first = items.front()->place, last = items.back()->place;
  const std::string rest = last == first ? std::string() : " to texts[" + std::to_string(last) + "]";
  return Error(status.code(), "texts[", first, "]", rest, ": ", status.message());
}

// Requests that several threads take one after the other, until one fails.
class Queue {
 public:
  explicit Queue(std::size_t count) : count_(count) {}
  template <typename Send>
  void Work(const Send& send) {
    for (;;) {
      std::size_t request;
      {
        const std::lock_guard lock(mutex_);
        if (next_ == count_ || !failure_.ok()) return;
        request = next_++;
      }
      const Status status = base::Guarded([&] { return send(request); });
      const std::lock_guard lock(mutex_);
      if (failure_.ok()) failure_ = status;
    }
  }
  // When all threads are done.
  const Status& failure() const { return failure_; }

 private:
  const std::size_t count_;
  std::mutex mutex_;
  std::size_t next_ = 0;
  Status failure_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::Create(const Dialect& dialect, std::string model, std::string_view url,
                                               const BackendOptions& options,
                                               std::shared_ptr<Environment> environment) {
  if (!dialect.model_field.empty() && model.empty()) {
    return Error(Code::kInvalidArgument, "backend ", dialect.name, ": needs a model, as ", dialect.name, ":MODEL");
  }
  THIMBLE_ASSIGN_OR_RETURN(BaseUrl base, BaseUrlOf(dialect, url));
  std::unique_ptr<Client> client(
      new Client(dialect, std::move(model), std::move(base), options, std::move(environment)));
  THIMBLE_RETURN_IF_ERROR(MakeFields(dialect, client->OptionsOf({})).status());
  return client;
}

Client::Client(const Dialect& dialect, std::string model, BaseUrl base, const BackendOptions& options,
               std::shared_ptr<Environment> environment)
    : dialect_(dialect),
      model_(std::move(model)),
      base_(std::move(base)),
      asked_dimensions_(options.dimensions),
      encoding_(options.encoding),
      request_texts_(options.request_texts != 0 ? options.request_texts : TheTable().request_texts),
      concurrency_(options.concurrency != 0 ? options.concurrency : TheTable().concurrency),
      attempts_(options.max_retries ? static_cast<int>(*options.max_retries) + 1 : TheTable().retry.attempts),
      identity_(dialect.name + "\n" + base_.origin + "\n" + model_ + "\n" + std::to_string(asked_dimensions_)),
      environment_(std::move(environment)),
      dimensions_(asked_dimensions_) {}

RequestOptions Client::OptionsOf(const Call& call) const {
  return {model_, asked_dimensions_, encoding_, call.prompt_name, call.long_texts};
}

std::string Client::Where(const std::string& path) const { return dialect_.name + ": " + base_.text + path; }

Result<std::string> Client::Key() const {
  THIMBLE_ASSIGN_OR_RETURN(std::string key, KeyOf(dialect_));
  if (key.empty() && dialect_.key_required && AtProvider()) {
    return Error(Code::kNotFound, dialect_.name, ": ", base_.origin, " needs a key; set ", HowToSetKey(dialect_));
  }
  return key;
}

Result<BackendInfo> Client::Describe(const Call& call) {
  THIMBLE_ASSIGN_OR_RETURN(const InfoPage page, AskPage(call));
  BackendInfo info;
  info.name = dialect_.name;
  info.model = model_.empty() ? page.model : model_;
  info.fingerprint = FingerprintOf(dialect_.name, base_.origin, info.model, asked_dimensions_);
  info.dimensions = dimensions_;
  info.max_tokens = page.text_tokens != 0 ? page.text_tokens : AtProvider() ? dialect_.text_tokens : 0;
  info.request_texts = MostTexts(page);
  info.request_bytes = dialect_.most_bytes;
  if (dialect_.input_type) {
    for (const auto& [name, value] : dialect_.input_type->values) info.prompt_names.push_back(name);
  }
  for (const LongTexts choice : {LongTexts::kTruncate, LongTexts::kError, LongTexts::kChunk}) {
    const std::string name(LongTextsName(choice));
    if (dialect_.long_texts && dialect_.long_texts->values.contains(name)) info.long_texts.push_back(choice);
  }
  return info;
}

Status Client::Embed(std::span<Item* const> items, const Call& call) {
  if (items.empty()) return Status();
  if (call.normalize == false) {
    return Error(Code::kUnsupported, "`normalize`: only native backends return vectors that are not normalised, not ",
                 dialect_.name);
  }
  THIMBLE_ASSIGN_OR_RETURN(const RequestFields fields, MakeFields(dialect_, OptionsOf(call)));
  THIMBLE_ASSIGN_OR_RETURN(const InfoPage page, AskPage(call));
  const auto requests = CutRequests(TextsOf(items), MostTexts(page), dialect_.most_bytes);
  Queue queue(requests.size());
  const auto send = [&](std::size_t request) -> Status {
    const auto [begin, end] = requests[request];
    const std::span<Item* const> texts = items.subspan(begin, end - begin);
    const Status status = EmbedRequest(texts, fields, call);
    return status.ok() ? status : Located(status, texts);
  };
  auto work = [&] { queue.Work(send); };
  // With fewer threads than wanted it takes longer.
  std::vector<std::unique_ptr<base::Thread>> threads;
  for (std::size_t i = 1; i < std::min(requests.size(), concurrency_); ++i) {
    threads.push_back(std::make_unique<base::Thread>());
    const auto run = [](void* argument) -> void* {
      (*static_cast<decltype(work)*>(argument))();
      return nullptr;
    };
    if (!threads.back()->Start(run, &work, kStackBytes).ok()) break;
  }
  work();
  for (const auto& thread : threads) thread->Join();
  return queue.failure();
}

Status Client::EmbedRequest(std::span<Item* const> items, const RequestFields& fields, const Call& call) {
  const std::vector<std::string_view> texts = TextsOf(items);
  const std::string where = Where(dialect_.path);
  THIMBLE_ASSIGN_OR_RETURN(const std::string key, Key());
  net::HttpCall request;
  request.method = "POST";
  request.url = base_.text + dialect_.path;
  request.headers.push_back("content-type: application/json");
  request.body = MakeBody(dialect_, fields, texts);
  request.most_bytes = MostReplyBytes(dialect_, texts, dimensions_);
  THIMBLE_ASSIGN_OR_RETURN(const net::HttpReply reply, Send(std::move(request), where, key, call, nullptr));
  Result<DecodedReply> decoded = DecodeReply(dialect_, reply, fields.encoding, texts.size(), dimensions_, where);
  if (!decoded.ok()) return Status(decoded.status().code(), WithoutKey(decoded.status().message(), key));
  std::size_t known = 0;
  const std::size_t found = decoded->vectors.front().size();
  if (!dimensions_.compare_exchange_strong(known, found) && known != found) {
    return Error(Code::kCorrupt, where, ": expected vectors of ", known, " values, as before, found ", found);
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    Embedding& embedding = items[i]->embedding;
    embedding.vector = std::move(decoded->vectors[i]);
    if (items.size() == 1) embedding.tokens = decoded->tokens;
    if (call.long_texts == LongTexts::kError) embedding.truncated = false;
  }
  return Status();
}

Result<net::HttpReply> Client::Send(net::HttpCall request, const std::string& where, const std::string& key,
                                    const Call& call, long* code) {
  const Table& table = TheTable();
  request.headers.push_back("accept: application/json");
  if (!key.empty()) request.headers.push_back(table.key_header + ": " + table.key_prefix + key);
  const auto go_on = [&] { return call.go_on() && environment_->Now() < call.deadline; };
  THIMBLE_RETURN_IF_ERROR(TakeSlot(call));
  struct Slot {
    Client* client;
    ~Slot() { client->GiveSlot(); }
  } const slot{this};
  for (int attempt = 1;; ++attempt) {
    THIMBLE_RETURN_IF_ERROR(CheckGoesOn(call, name(), environment_->Now()));
    const auto left = call.deadline - environment_->Now();
    request.connect_timeout = table.connect_timeout;
    request.timeout = table.attempt_timeout;
    if (left < request.timeout) request.timeout = std::chrono::ceil<milliseconds>(left);
    net::HttpReply reply = environment_->Send(request, go_on);
    if (code != nullptr) *code = reply.code;
    if (reply.status.ok() && IsGood(reply.code)) return reply;
    THIMBLE_RETURN_IF_ERROR(CheckGoesOn(call, name(), environment_->Now()));
    Status status = StatusOf(reply, where, key);
    if (!IsWorthRetrying(table.retry, reply) || attempt >= attempts_) return status;
    const auto asked = net::AskedDelay(table.retry, reply, environment_->Today());
    const milliseconds delay = asked.value_or(net::BackoffDelay(table.retry, attempt, environment_->Random()));
    const bool patient =
        call.deadline == kNever ? delay <= table.retry.most_after : environment_->Now() + delay < call.deadline;
    if (!patient && asked) {
      return Error(status.code(), status.message(), "; try again in ",
                   std::chrono::ceil<std::chrono::seconds>(*asked).count(), " s");
    }
    if (!patient) return status;
    environment_->Sleep(delay, go_on);
  }
}

Status Client::StatusOf(const net::HttpReply& reply, const std::string& where, const std::string& key) const {
  if (reply.code == 0 || (IsGood(reply.code) && !reply.status.ok())) {
    return Error(reply.status.code(), where, ": ", WithoutKey(reply.status.message(), key));
  }
  if (IsRedirect(reply.code)) {
    return Error(Code::kIo, where, ": status ", reply.code,
                 ": a redirect, which thimble does not follow, because the key is for one address only; pass the final "
                 "address as `base_url`");
  }
  const std::string message = MessageOf(dialect_, reply.body, key);
  std::string advice;
  if (reply.code == 401 || reply.code == 403) {
    advice = key.empty() ? "; set " + HowToSetKey(dialect_) : "; check " + dialect_.key_variables.front();
  }
  return Error(CodeOfStatus(reply.code), where, ": status ", reply.code, message.empty() ? "" : ": ", message, advice);
}

Result<InfoPage> Client::AskPage(const Call& call) {
  if (dialect_.info_path.empty()) return InfoPage();
  {
    const std::lock_guard lock(mutex_);
    if (page_) return *page_;
  }
  THIMBLE_ASSIGN_OR_RETURN(const std::string key, Key());
  const std::string where = Where(dialect_.info_path);
  net::HttpCall request;
  request.url = base_.text + dialect_.info_path;
  request.most_bytes = TheTable().reply_bytes;
  long code = 0;
  Result<net::HttpReply> reply = Send(std::move(request), where, key, call, &code);
  InfoPage page;
  if (reply.ok()) {
    Result<InfoPage> decoded = DecodeInfo(dialect_, *reply, where);
    if (!decoded.ok()) return Status(decoded.status().code(), WithoutKey(decoded.status().message(), key));
    page = *std::move(decoded);
  } else if (code < 400 || code >= 500 || !CheckGoesOn(call, name(), environment_->Now()).ok()) {
    return reply.status();
  }
  const std::lock_guard lock(mutex_);
  page_ = page;
  return page;
}

std::size_t Client::MostTexts(const InfoPage& page) const {
  return std::min(page.most_texts != 0 ? page.most_texts : dialect_.most_texts, request_texts_);
}

Status Client::TakeSlot(const Call& call) {
  std::unique_lock lock(mutex_);
  while (used_slots_ == concurrency_) {
    freed_.wait_for(lock, kNap);
    if (used_slots_ < concurrency_) break;
    lock.unlock();
    THIMBLE_RETURN_IF_ERROR(CheckGoesOn(call, name(), environment_->Now()));
    lock.lock();
  }
  ++used_slots_;
  return Status();
}

void Client::GiveSlot() {
  const std::lock_guard lock(mutex_);
  --used_slots_;
  freed_.notify_one();
}

}  // namespace thimble::backends
