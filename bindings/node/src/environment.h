// One JavaScript environment (the main thread's or a worker's): the calls it waits for, and how their results reach it.

#ifndef THIMBLE_BINDINGS_NODE_ENVIRONMENT_H_
#define THIMBLE_BINDINGS_NODE_ENVIRONMENT_H_

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "runtime/executor.h"
#include "thimble/status.h"

namespace thimble::node {

// Belongs to the environment's thread; only its Mailbox is used by others. An environment that ends (a worker that is
// terminated, a process that exits) drops its calls: a job at work ends on its own, and its result reaches nobody.
class Environment {
 public:
  // Makes the environment's own, which lives until the environment ends. False with a pending exception on failure.
  static bool Start(Napi::Env env);
  static Environment& Of(Napi::Env env);

  // What a job has found. Called on the environment's thread; the settled value, or an error when `status` is not ok.
  struct Outcome {
    Status status;
    // Makes the value of the promise; `kept` is what Run was given.
    std::function<Napi::Value(Napi::Env, Napi::Value kept)> value;
  };

  using Work = std::function<Outcome(const std::atomic<bool>& cancelled)>;
  // Runs `work` on a thread of the executor, and settles the promise with its outcome. While a promise is not settled
  // it keeps the process alive, and `kept`. `id` is the caller's, for Cancel; 0 is none.
  Napi::Promise Run(Napi::Env env, std::uint32_t id, Work work, Napi::Value kept = {});

  // What work on a thread of its own knows of whoever waits for it. Thread-safe.
  class Watch {
   public:
    virtual bool cancelled() const = 0;
    // Calls the caller's function with this value soon; a newer one takes the place of one that was not taken.
    virtual void Tell(std::function<Napi::Value(Napi::Env)> value) = 0;

   protected:
    ~Watch() = default;
  };
  // As Run, for work that takes long: on a new thread, which ends soon after Watch::cancelled(). `watcher` is a
  // function, or undefined; what it throws rejects the promise. The end of the environment waits for the thread.
  Napi::Promise RunAlone(Napi::Env env, std::uint32_t id, std::function<Outcome(Watch&)> work, Napi::Value watcher);

  // Forgets the call: its promise is never settled, and its work does not start, or is cancelled.
  void Cancel(std::uint32_t id);

 private:
  class Mailbox;
  class Call;
  class LoneCall;
  struct Waiting {
    Napi::Promise::Deferred deferred;
    std::uint32_t id;
    std::shared_ptr<Call> call;
    Napi::ObjectReference kept;
  };

  explicit Environment(std::shared_ptr<runtime::Executor> executor) : executor_(std::move(executor)) {}
  static void Close(void* self);
  static void Deliver(napi_env env, napi_value callback, void* self, void* data);
  void Settle(Napi::Env env);
  // Calls the watcher of a call that is still running; returns whether nothing is left to do for it now.
  bool TellWatcher(Napi::Env env, Call& call);
  void Wait(const std::shared_ptr<Call>& call, std::uint32_t id, Napi::Promise::Deferred deferred, Napi::Value kept);
  void Forget(Call* call);

  std::shared_ptr<runtime::Executor> executor_;
  std::shared_ptr<Mailbox> mailbox_;
  napi_env env_ = nullptr;
  std::unordered_map<Call*, Waiting> waiting_;
  std::vector<std::shared_ptr<LoneCall>> alone_;  // Those with a thread that has not been waited for.
};

// An Error with the message and the code of a failure.
Napi::Error MakeError(Napi::Env env, const Status& status);

}  // namespace thimble::node

#endif  // THIMBLE_BINDINGS_NODE_ENVIRONMENT_H_
