// The public face of a pool: leases, reservations, and no exception.

#include "thimble/pool.h"

#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "runtime/pool_state.h"

namespace thimble::inline v0_1 {

using runtime::PoolEntry;
using runtime::PoolState;
using runtime::Session;

Lease::Lease(std::shared_ptr<PoolState> pool, PoolEntry* entry) : pool_(std::move(pool)), entry_(entry) {}
Lease::Lease(Lease&& other) noexcept : pool_(std::move(other.pool_)), entry_(std::exchange(other.entry_, nullptr)) {}
Lease& Lease::operator=(Lease&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(entry_, other.entry_);
  return *this;
}
Lease::~Lease() {
  if (entry_ != nullptr) pool_->Return(*entry_);
}

const Model& Lease::model() const { return *entry_->model; }

std::size_t Lease::max_tokens() const { return entry_->max_tokens; }

Result<Report> Lease::Embed(std::string_view text, std::span<float> vector, const VectorOptions& options) {
  return pool_->Use(*entry_, [&](Session& session) -> Result<Report> {
    Report report;
    THIMBLE_RETURN_IF_ERROR(session.EmbedBatch({&text, 1}, vector, {&report, 1}, options));
    return report;
  });
}

Status Lease::EmbedBatch(std::span<const std::string_view> texts, std::span<float> vectors, std::span<Report> reports,
                         const VectorOptions& options) {
  return pool_->Use(*entry_, [&](Session& session) { return session.EmbedBatch(texts, vectors, reports, options); });
}

Result<Report> Lease::EmbedTokens(std::string_view text, std::span<float> vectors, const std::atomic<bool>* stop) {
  return pool_->Use(*entry_, [&](Session& session) { return session.EmbedTokens(text, vectors, stop); });
}

Status Lease::EmbedIds(std::span<const std::int32_t> ids, std::span<float> vectors, const std::atomic<bool>* stop) {
  return pool_->Use(*entry_, [&](Session& session) { return session.EmbedIds(ids, vectors, stop); });
}

Status Lease::Rank(std::string_view query, std::span<const std::string_view> documents, std::span<float> scores,
                   std::span<Report> reports, const RankOptions& options) {
  return pool_->Use(*entry_,
                    [&](Session& session) { return session.Rank(query, documents, scores, reports, options); });
}

std::size_t Lease::num_scores() const { return model().engine().num_scores(); }

Reservation::Reservation(std::shared_ptr<PoolState> pool, std::size_t bytes) : pool_(std::move(pool)), bytes_(bytes) {}
Reservation::Reservation(Reservation&& other) noexcept
    : pool_(std::move(other.pool_)), bytes_(std::exchange(other.bytes_, 0)) {}
Reservation& Reservation::operator=(Reservation&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(bytes_, other.bytes_);
  return *this;
}
Reservation::~Reservation() {
  if (bytes_ != 0) pool_->GiveBack(bytes_);
}

Result<ModelPool> ModelPool::Create(const PoolOptions& options) {
  return base::Guarded([&]() -> Result<ModelPool> {
    THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<PoolState> state, PoolState::Create(options, runtime::PoolEnvironment()));
    return ModelPool(std::move(state));
  });
}

ModelPool::ModelPool(std::shared_ptr<PoolState> state) : state_(std::move(state)) {}
ModelPool::ModelPool(ModelPool&&) noexcept = default;
ModelPool& ModelPool::operator=(ModelPool&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
ModelPool::~ModelPool() {
  if (state_ != nullptr) state_->Close();
}

Result<Lease> ModelPool::Acquire(std::string_view name, std::string_view dtype) {
  return base::Guarded([&]() -> Result<Lease> {
    THIMBLE_ASSIGN_OR_RETURN(PoolEntry * entry, state_->Acquire(name, dtype, false));
    return Lease(state_, entry);
  });
}

Result<Plan> ModelPool::MakePlan(std::string_view name, std::string_view dtype) const {
  return base::Guarded([&] { return state_->MakePlan(name, dtype); });
}

Status ModelPool::Preload(std::string_view name, std::string_view dtype) { return Acquire(name, dtype).status(); }

Status ModelPool::Pin(std::string_view name, std::string_view dtype) {
  return base::Guarded([&]() -> Status {
    THIMBLE_ASSIGN_OR_RETURN(PoolEntry * entry, state_->Acquire(name, dtype, true));
    Lease(state_, entry);
    return Status();
  });
}

void ModelPool::Unpin(std::string_view name, std::string_view dtype) { state_->Unpin(name, dtype); }
void ModelPool::Unload(std::string_view name, std::string_view dtype) { state_->Unload(name, dtype); }

Result<Reservation> ModelPool::Reserve(std::size_t bytes, std::optional<std::chrono::milliseconds> max_wait) {
  return base::Guarded([&]() -> Result<Reservation> {
    THIMBLE_RETURN_IF_ERROR(state_->Reserve(bytes, max_wait));
    return Reservation(state_, bytes);
  });
}

Result<PoolStats> ModelPool::Stats() const {
  return base::Guarded([&]() -> Result<PoolStats> { return state_->Stats(); });
}

}  // namespace thimble::inline v0_1
