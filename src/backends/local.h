// The engine in this process, and the mocks.

#ifndef THIMBLE_BACKENDS_LOCAL_H_
#define THIMBLE_BACKENDS_LOCAL_H_

#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "backends/member.h"
#include "runtime/engines.h"
#include "thimble/pool.h"

namespace thimble::backends {

class Local final : public Member {
 public:
  // The pool is made with the first call.
  Local(const runtime::EngineEntry& engine, const BackendOptions& options);

  const std::string& name() const override { return name_; }
  const std::string& identity() const override { return identity_; }
  Result<BackendInfo> Describe(const Call& call) override;
  Status Embed(std::span<Item* const> items, const Call& call) override;

 private:
  Result<Lease> Acquire();

  const std::string name_;
  const std::string model_;
  const std::string dtype_;
  const PoolOptions options_;
  const std::optional<std::size_t> dimensions_;
  const std::string identity_;
  std::mutex mutex_;  // Of the making of
  std::optional<ModelPool> pool_;
};

}  // namespace thimble::backends

#endif  // THIMBLE_BACKENDS_LOCAL_H_
