// Promises, and a thread-safe function that brings results to them.

#include "environment.h"

#include <atomic>
#include <string>
#include <utility>

#include "base/guard.h"
#include "base/keep_loaded.h"
#include "base/option_names.h"
#include "base/thread.h"

namespace thimble::node {

// Where threads leave finished calls. Thread-safe.
class Environment::Mailbox {
 public:
  explicit Mailbox(napi_threadsafe_function wake) : wake_(wake) {}

  void Put(std::shared_ptr<Call> call) {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    calls_.push_back(std::move(call));
    if (calls_.size() == 1) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
  }
  std::vector<std::shared_ptr<Call>> TakeAll() {
    std::lock_guard lock(mutex_);
    return std::exchange(calls_, {});
  }
  // After this nobody uses the thread-safe function, which the environment is about to free.
  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    calls_.clear();
  }
  napi_threadsafe_function wake() const { return wake_; }

 private:
  std::mutex mutex_;
  bool closed_ = false;
  std::vector<std::shared_ptr<Call>> calls_;
  const napi_threadsafe_function wake_;
};

class Environment::Call : public runtime::Job, public std::enable_shared_from_this<Call> {
 public:
  Call(Work work, std::shared_ptr<Mailbox> mailbox) : work_(std::move(work)), mailbox_(std::move(mailbox)) {}
  // Asks the work to end early.
  void Cancel() { cancelled_ = true; }
  // What is to be told to the watcher; null unless there is anything.
  virtual std::function<Napi::Value(Napi::Env)> TakeNews() { return nullptr; }

  void Run() override {
    Status status = base::Guarded([&] {
      outcome_ = work_(cancelled_);
      return Status();
    });
    if (!status.ok()) outcome_ = {.status = std::move(status), .value = {}};
    work_ = nullptr;
    done_ = true;
    mailbox_->Put(shared_from_this());
  }
  bool done() const { return done_; }
  Outcome& outcome() { return outcome_; }

 protected:
  Work work_;
  std::shared_ptr<Mailbox> mailbox_;
  std::atomic<bool> cancelled_ = false;

 private:
  std::atomic<bool> done_ = false;
  Outcome outcome_;
};

class Environment::LoneCall final : public Call, public Watch {
 public:
  LoneCall(std::function<Outcome(Watch&)> work, std::shared_ptr<Mailbox> mailbox)
      : Call([this, work = std::move(work)](const auto&) { return work(*this); }, std::move(mailbox)) {}

  Status Start() {
    // libcurl, and what it loads, was not written for small stacks.
    constexpr std::size_t kStackBytes = 8 << 20;
    return thread_.Start(RunThread, this, kStackBytes);
  }
  void Join() { thread_.Join(); }

  bool cancelled() const override { return cancelled_; }
  void Tell(std::function<Napi::Value(Napi::Env)> value) override {
    {
      std::lock_guard lock(mutex_);
      news_ = std::move(value);
    }
    mailbox_->Put(shared_from_this());
  }
  std::function<Napi::Value(Napi::Env)> TakeNews() override {
    std::lock_guard lock(mutex_);
    return std::exchange(news_, nullptr);
  }

 private:
  static void* RunThread(void* self) {
    static_cast<LoneCall*>(self)->Run();
    return nullptr;
  }

  std::mutex mutex_;
  std::function<Napi::Value(Napi::Env)> news_;
  base::Thread thread_;
};

namespace {

// Whether the environment still takes results: a worker that is being terminated answers no call that could run
// JavaScript, of which this is one.
bool TakesResults(Napi::Env env) {
  bool found = false;
  return napi_has_named_property(env, env.Global(), "undefined", &found) == napi_ok;
}

}  // namespace

bool Environment::Start(Napi::Env env) {
  base::KeepLoaded();
  auto* self = new Environment(runtime::Executor::Shared());
  self->env_ = env;
  napi_threadsafe_function wake = nullptr;
  const napi_value name = Napi::String::New(env, "thimble");
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, self, Deliver, &wake) !=
      napi_ok) {
    delete self;
    Napi::Error::New(env, "thimble: the environment refused a thread-safe function").ThrowAsJavaScriptException();
    return false;
  }
  napi_unref_threadsafe_function(env, wake);
  self->mailbox_ = std::make_shared<Mailbox>(wake);
  env.SetInstanceData(self);
  // Hooks run in reverse: this one before that of the thread-safe function.
  napi_add_env_cleanup_hook(env, Close, self);
  return true;
}

Environment& Environment::Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

void Environment::Close(void* self) {
  auto* environment = static_cast<Environment*>(self);
  environment->mailbox_->Close();
  for (const auto& [call, waiting] : environment->waiting_) {
    call->Cancel();
    environment->executor_->Withdraw(call);
  }
  environment->waiting_.clear();
  for (const std::shared_ptr<LoneCall>& call : environment->alone_) call->Join();
  environment->alone_.clear();
}

Napi::Promise Environment::Run(Napi::Env env, std::uint32_t id, Work work, Napi::Value kept) {
  auto deferred = Napi::Promise::Deferred::New(env);
  auto call = std::make_shared<Call>(std::move(work), mailbox_);
  Status status = executor_->Submit(call);
  if (!status.ok()) {
    deferred.Reject(MakeError(env, status).Value());
    return deferred.Promise();
  }
  Wait(call, id, deferred, kept);
  return deferred.Promise();
}

Napi::Promise Environment::RunAlone(Napi::Env env, std::uint32_t id, std::function<Outcome(Watch&)> work,
                                    Napi::Value watcher) {
  auto deferred = Napi::Promise::Deferred::New(env);
  auto call = std::make_shared<LoneCall>(std::move(work), mailbox_);
  Status status = call->Start();
  if (!status.ok()) {
    deferred.Reject(MakeError(env, status).Value());
    return deferred.Promise();
  }
  alone_.push_back(call);
  Wait(call, id, deferred, watcher.IsFunction() ? watcher : Napi::Value());
  return deferred.Promise();
}

void Environment::Wait(const std::shared_ptr<Call>& call, std::uint32_t id, Napi::Promise::Deferred deferred,
                       Napi::Value kept) {
  if (waiting_.empty()) napi_ref_threadsafe_function(env_, mailbox_->wake());
  Waiting& waiting = waiting_.emplace(call.get(), Waiting{deferred, id, call, {}}).first->second;
  if (!kept.IsEmpty()) waiting.kept = Napi::Persistent(kept.As<Napi::Object>());
}

void Environment::Cancel(std::uint32_t id) {
  for (auto& [call, waiting] : waiting_) {
    if (waiting.id != id) continue;
    call->Cancel();
    executor_->Withdraw(call);
    Forget(call);
    return;
  }
}

void Environment::Forget(Call* call) {
  waiting_.erase(call);
  if (waiting_.empty()) napi_unref_threadsafe_function(env_, mailbox_->wake());
}

void Environment::Deliver(napi_env env, napi_value, void* self, void*) {
  if (env != nullptr) static_cast<Environment*>(self)->Settle(env);
}

void Environment::Settle(Napi::Env env) {
  Napi::HandleScope scope(env);
  for (const std::shared_ptr<Call>& call : mailbox_->TakeAll()) {
    if (!TakesResults(env)) return;
    if (TellWatcher(env, *call)) continue;
    auto found = waiting_.find(call.get());
    if (found == waiting_.end()) continue;  // Cancelled.
    const Napi::Promise::Deferred deferred = found->second.deferred;
    const Napi::Value kept = found->second.kept.IsEmpty() ? Napi::Value() : found->second.kept.Value();
    Forget(call.get());
    const Outcome& outcome = call->outcome();
    if (!outcome.status.ok()) {
      deferred.Reject(MakeError(env, outcome.status).Value());
      continue;
    }
    Napi::Value value = outcome.value ? outcome.value(env, kept) : env.Undefined();
    if (env.IsExceptionPending()) {
      deferred.Reject(env.GetAndClearPendingException().Value());
    } else {
      deferred.Resolve(value);
    }
  }
}

bool Environment::TellWatcher(Napi::Env env, Call& call) {
  const auto news = call.TakeNews();
  auto found = waiting_.find(&call);
  if (news && found != waiting_.end() && !found->second.kept.IsEmpty()) {
    const Napi::Promise::Deferred deferred = found->second.deferred;
    found->second.kept.Value().As<Napi::Function>().Call({news(env)});
    if (env.IsExceptionPending()) {
      call.Cancel();
      Forget(&call);
      deferred.Reject(env.GetAndClearPendingException().Value());
    }
  }
  if (!call.done()) return true;
  std::erase_if(alone_, [&](const std::shared_ptr<LoneCall>& lone) {
    if (lone.get() != &call) return false;
    lone->Join();
    return true;
  });
  return false;
}

Napi::Error MakeError(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, base::WithOptionNames(status.message(), base::OptionNames::kNode));
  error.Set("code", Napi::String::New(env, std::string(CodeName(status.code()))));
  return error;
}

}  // namespace thimble::node
