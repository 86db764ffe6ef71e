// Several backends of one vector space, each of which stands in for those before it.

#ifndef THIMBLE_BACKENDS_CHAIN_H_
#define THIMBLE_BACKENDS_CHAIN_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "backends/member.h"

namespace thimble::backends {

// Thread-safe.
class Chain final : public Member {
 public:
  // `members` are 1 or more; `one_space` is the user's word that they have one vector space, and `dimensions` the
  // length of its vectors, 0 if it is not known. kInvalidArgument when they differ, and nobody said so.
  static Result<std::unique_ptr<Chain>> Create(std::vector<std::unique_ptr<Member>> members, bool one_space,
                                               std::size_t dimensions);

  const std::string& name() const override { return name_; }
  const std::string& identity() const override { return members_.front()->identity(); }
  // That of the first member that answers.
  Result<BackendInfo> Describe(const Call& call) override;
  Status Embed(std::span<Item* const> items, const Call& call) override;

 private:
  Chain(std::vector<std::unique_ptr<Member>> members, std::size_t dimensions);
  // Calls use(member, call) of one member after the other, until one does not fail.
  Status UseFirst(const Call& call, const std::function<Status(Member&, const Call&)>& use);

  const std::vector<std::unique_ptr<Member>> members_;
  std::string name_;
  std::atomic<std::size_t> dimensions_;  // Of the space; 0 while they are not known.
  std::mutex mutex_;
  std::vector<Time> paused_until_;  // Of each member: those that failed lately come last.
};

}  // namespace thimble::backends

#endif  // THIMBLE_BACKENDS_CHAIN_H_
