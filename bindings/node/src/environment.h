// One JavaScript environment (the main thread's or a worker's): the calls it waits for, and how their results reach it.

#ifndef THIMBLE_BINDINGS_NODE_ENVIRONMENT_H_
#define THIMBLE_BINDINGS_NODE_ENVIRONMENT_H_

#include <napi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "executor.h"
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

  // Runs `work` on a thread of the executor, and settles the promise with its outcome. While a promise is not settled
  // it keeps the process alive, and `kept`. `id` is the caller's, for Cancel; 0 is none.
  Napi::Promise Run(Napi::Env env, std::uint32_t id, std::function<Outcome()> work, Napi::Value kept = {});
  // Forgets the call: its promise is never settled, and its work does not start unless it has.
  void Cancel(std::uint32_t id);

 private:
  class Mailbox;
  class Call;
  struct Waiting {
    Napi::Promise::Deferred deferred;
    std::uint32_t id;
    Napi::ObjectReference kept;
  };

  explicit Environment(std::shared_ptr<Executor> executor) : executor_(std::move(executor)) {}
  static void Close(void* self);
  static void Deliver(napi_env env, napi_value callback, void* self, void* data);
  void Settle(Napi::Env env);
  void Forget(const Call* call);

  std::shared_ptr<Executor> executor_;
  std::shared_ptr<Mailbox> mailbox_;
  napi_env env_ = nullptr;
  std::unordered_map<const Call*, Waiting> waiting_;
};

// An Error with the message and the code of a failure.
Napi::Error MakeError(Napi::Env env, const Status& status);

}  // namespace thimble::node

#endif  // THIMBLE_BINDINGS_NODE_ENVIRONMENT_H_
