// Falls over from one backend to the next.

#include "backends/chain.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace thimble::backends {
namespace {

// How long a member that failed comes last.
constexpr std::chrono::seconds kPause(30);

// What another backend would refuse as well.
bool IsFinal(const Status& status) { return status.code() == Code::kInvalidArgument; }

}  // namespace

Status CheckGoesOn(const Call& call, std::string_view name, Time now) {
  if (!call.go_on()) return Error(Code::kIo, name, ": the call was aborted");
  if (now >= call.deadline) return Error(Code::kIo, name, ": no result within the time of the call");
  return Status();
}

Result<std::unique_ptr<Chain>> Chain::Create(std::vector<std::unique_ptr<Member>> members, bool one_space,
                                             std::size_t dimensions) {
  for (const auto& member : members) {
    if (one_space || member->identity() == members.front()->identity()) continue;
    return Error(Code::kInvalidArgument, "`backend`: ", members.front()->name(), " and ", member->name(),
                 " have different vector spaces, whose vectors cannot be compared; if both serve the same model, name "
                 "its space with `space`");
  }
  return std::unique_ptr<Chain>(new Chain(std::move(members), dimensions));
}

Chain::Chain(std::vector<std::unique_ptr<Member>> members, std::size_t dimensions)
    : members_(std::move(members)), dimensions_(dimensions), paused_until_(members_.size(), Time::min()) {
  for (const auto& member : members_) name_ += (name_.empty() ? "" : ",") + member->name();
}

Result<BackendInfo> Chain::Describe(const Call& call) {
  BackendInfo info;
  THIMBLE_RETURN_IF_ERROR(UseFirst(call, [&](Member& member, const Call& limited) -> Status {
    THIMBLE_ASSIGN_OR_RETURN(info, member.Describe(limited));
    return Status();
  }));
  return info;
}

Status Chain::Embed(std::span<Item* const> items, const Call& call) {
  return UseFirst(call, [&](Member& member, const Call& limited) -> Status {
    std::vector<Item*> missing;
    for (Item* item : items) {
      if (!item->done()) missing.push_back(item);
    }
    Status status = member.Embed(missing, limited);
    // Vectors of one space have one length.
    for (const Item* item : missing) {
      const std::size_t found = item->embedding.vector.size();
      std::size_t known = 0;
      if (found == 0 || dimensions_.compare_exchange_strong(known, found) || known == found) continue;
      for (Item* other : missing) other->embedding = {};
      return Error(Code::kInvalidArgument, "`backend`: ", member.name(), " returned vectors of ", found,
                   " values, expected ", known, " in this space");
    }
    return status;
  });
}

Status Chain::UseFirst(const Call& call, const std::function<Status(Member&, const Call&)>& use) {
  std::vector<std::size_t> order(members_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  {
    const std::lock_guard lock(mutex_);
    const Time now = std::chrono::steady_clock::now();
    std::stable_partition(order.begin(), order.end(), [&](std::size_t i) { return paused_until_[i] <= now; });
  }
  std::string failures;
  for (std::size_t turn = 0; turn < order.size(); ++turn) {
    const std::size_t index = order[turn];
    Call limited = call;
    const Time now = std::chrono::steady_clock::now();
    // Time is left for the next one.
    if (turn + 1 < order.size() && call.deadline != kNever) limited.deadline = now + (call.deadline - now) / 2;
    const Status status = use(*members_[index], limited);
    const Time end = std::chrono::steady_clock::now();
    {
      const std::lock_guard lock(mutex_);
      paused_until_[index] = status.ok() ? Time::min() : end + kPause;
    }
    if (status.ok() || IsFinal(status) || !CheckGoesOn(call, name_, end).ok()) return status;
    failures += (failures.empty() ? "" : "; ") + status.message();
    if (turn + 1 == order.size()) {
      return order.size() == 1 ? status : Error(status.code(), "no backend succeeded: ", failures);
    }
  }
  return Status();
}

}  // namespace thimble::backends
