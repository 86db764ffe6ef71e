// Backend: calls, their ends, and the cache in front of them.

#include "thimble/backend.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "backends/address.h"
#include "backends/member.h"
#include "backends/registry.h"
#include "backends/vector_cache.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/guard.h"
#include "base/thread.h"

namespace thimble::inline v0_1 {
namespace {

using backends::Call;
using backends::Item;
using std::chrono::milliseconds;

// Of a thread that embeds or sends requests.
constexpr std::size_t kStackBytes = 512 << 10;

std::string_view NameOrDefault(std::string_view name) {
  if (!name.empty()) return name;
  const char* chosen = std::getenv("THIMBLE_BACKEND");
  return chosen == nullptr || *chosen == '\0' ? "native" : chosen;
}

// Zeros stay zeros.
void Normalize(std::vector<float>& vector) {
  double sum = 0;
  for (const float value : vector) sum += double{value} * value;
  if (sum == 0) return;
  const double scale = 1 / std::sqrt(sum);
  for (float& value : vector) value = static_cast<float>(value * scale);
}

}  // namespace

struct Backend::Impl {
  std::unique_ptr<backends::Member> member;
  std::optional<backends::VectorCache> cache;
  std::string space_fingerprint;  // Empty unless the user names the space.

  const std::uint32_t fork = ForkNumber();
  std::atomic<bool> closed = false;
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t calls = 0;  // Now running.

  ~Impl() {
    if (fork == ForkNumber()) return;
    // Its connections belong to another process, which the end of a TLS session would disturb.
    (void)member.release();
    new (&ended) std::condition_variable;  // Waiters that do not exist would be waited for.
  }

  Call CallOf(const BackendCall& call) {
    Call made = {call.prompt_name, call.long_texts, call.normalize, {}, backends::kNever};
    made.go_on = [this, go_on = call.go_on] { return !closed.load() && (!go_on || go_on()); };
    // Of a longer time the end cannot be reckoned.
    constexpr milliseconds kLongest = std::chrono::hours(24 * 365);
    if (call.timeout.count() > 0) {
      made.deadline = std::chrono::steady_clock::now() + std::min(call.timeout, kLongest);
    }
    return made;
  }

  // Counts a call while it runs.
  template <typename Work>
  auto Run(const Work& work) -> decltype(work()) {
    // The mutex may be locked for ever.
    if (fork != ForkNumber()) {
      return Guarded([&] {
        return Error(Code::kInvalidArgument, "backend ", member->name(), ": opened before a fork; open another in the ",
                     "child");
      });
    }
    {
      const std::lock_guard lock(mutex);
      if (closed) return Error(Code::kIo, "backend ", member->name(), ": is closed");
      ++calls;
    }
    struct End {
      Impl* impl;
      ~End() {
        const std::lock_guard lock(impl->mutex);
        --impl->calls;
        impl->ended.notify_all();
      }
    } const end{this};
    return Guarded(work);
  }

  void Close() {
    if (fork != ForkNumber()) return;
    closed = true;
    std::unique_lock lock(mutex);
    ended.wait(lock, [&] { return calls == 0; });
  }

  Status Embed(std::span<const std::string_view> texts, const BackendCall& options,
               std::vector<Embedding>& embeddings) {
    embeddings.assign(texts.size(), {});
    const std::string kind = options.prompt_name.value_or("") + (options.prompt_name ? "\n" : "\r") +
                             std::string(options.long_texts ? LongTextsName(*options.long_texts) : "") + "\n" +
                             (options.normalize == false ? "raw\n" : "\n");
    const auto key_of = [&](std::string_view text) { return kind + std::string(text); };
    std::unordered_map<std::string_view, std::size_t> first;  // The item of a text.
    std::vector<Item> items;
    std::vector<std::size_t> item_of(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto [found, is_new] = first.emplace(texts[i], items.size());
      item_of[i] = found->second;
      if (is_new) items.push_back({texts[i], options.first_index + i});
    }
    std::vector<Item*> missing;
    for (Item& item : items) {
      std::optional<Embedding> known;
      if (cache) known = cache->Get(key_of(item.text));
      if (known) {
        item.embedding = *std::move(known);
      } else {
        missing.push_back(&item);
      }
    }
    const Status status = missing.empty() ? Status() : member->Embed(missing, CallOf(options));
    for (const Item* item : missing) {
      if (cache && item->done()) cache->Put(key_of(item->text), item->embedding);
    }
    if (options.normalize == true) {
      for (Item& item : items) Normalize(item.embedding.vector);
    }
    for (std::size_t i = 0; i < texts.size(); ++i) embeddings[i] = items[item_of[i]].embedding;
    return status;
  }
};

struct PendingEmbeddings::State {
  std::shared_ptr<Backend::Impl> impl;
  std::vector<std::string> texts;
  BackendCall call;
  std::atomic<bool> cancelled = false;
  std::atomic<bool> done = false;
  Status status;
  std::vector<Embedding> embeddings;
  Thread thread;  // Last, so that it ends first.

  static void* Run(void* self) {
    auto* state = static_cast<State*>(self);
    state->status = Guarded([&] {
      return state->impl->Run([&]() -> Status {
        const std::vector<std::string_view> views(state->texts.begin(), state->texts.end());
        return state->impl->Embed(views, state->call, state->embeddings);
      });
    });
    state->done = true;
    return nullptr;
  }
};

PendingEmbeddings::PendingEmbeddings(std::unique_ptr<State> state) : state_(std::move(state)) {}
PendingEmbeddings::PendingEmbeddings(PendingEmbeddings&&) noexcept = default;
PendingEmbeddings& PendingEmbeddings::operator=(PendingEmbeddings&& other) noexcept {
  if (state_) Cancel();
  state_ = std::move(other.state_);
  return *this;
}
PendingEmbeddings::~PendingEmbeddings() {
  if (state_) Cancel();
}

void PendingEmbeddings::Cancel() { state_->cancelled = true; }
bool PendingEmbeddings::done() const { return state_->done; }

Status PendingEmbeddings::Wait(std::vector<Embedding>& embeddings) {
  state_->thread.Join();
  if (!state_->done) {
    return Guarded(
        [] { return Error(Code::kInvalidArgument, "the call ran before a fork, and ends in that process"); });
  }
  embeddings = std::move(state_->embeddings);
  return state_->status;
}

Result<Backend> Backend::Open(std::string_view name, const BackendOptions& options) {
  return Guarded([&]() -> Result<Backend> {
    auto impl = std::make_shared<Impl>();
    THIMBLE_ASSIGN_OR_RETURN(
        impl->member, backends::MakeBackend(NameOrDefault(name), options,
                                            std::shared_ptr<backends::Environment>(backends::SystemEnvironment())));
    if (options.cache_bytes != 0) impl->cache.emplace(options.cache_bytes);
    if (!options.space.empty()) {
      impl->space_fingerprint = backends::NamedFingerprintOf(options.space, options.dimensions);
    }
    return Backend(std::move(impl));
  });
}

Backend::Backend(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Backend::Backend(Backend&&) noexcept = default;
Backend& Backend::operator=(Backend&& other) noexcept {
  if (impl_) impl_->Close();
  impl_ = std::move(other.impl_);
  return *this;
}
Backend::~Backend() {
  if (impl_) impl_->Close();
}

Status Backend::Embed(std::span<const std::string_view> texts, const BackendCall& call,
                      std::vector<Embedding>& embeddings) {
  return impl_->Run([&]() -> Status { return impl_->Embed(texts, call, embeddings); });
}

Result<PendingEmbeddings> Backend::Start(std::vector<std::string> texts, const BackendCall& call) {
  return Guarded([&]() -> Result<PendingEmbeddings> {
    auto state = std::make_unique<PendingEmbeddings::State>();
    state->impl = impl_;
    state->texts = std::move(texts);
    state->call = call;
    state->call.go_on = [state = state.get(), go_on = call.go_on] { return !state->cancelled && (!go_on || go_on()); };
    THIMBLE_RETURN_IF_ERROR(state->thread.Start(&PendingEmbeddings::State::Run, state.get(), kStackBytes));
    return PendingEmbeddings(std::move(state));
  });
}

Result<BackendInfo> Backend::Describe(const BackendCall& call) {
  return impl_->Run([&]() -> Result<BackendInfo> {
    THIMBLE_ASSIGN_OR_RETURN(BackendInfo info, impl_->member->Describe(impl_->CallOf(call)));
    if (!impl_->space_fingerprint.empty()) info.fingerprint = impl_->space_fingerprint;
    return info;
  });
}

void Backend::Close() { impl_->Close(); }

Result<bool> IsRemoteBackend(std::string_view name) {
  return Guarded([&]() -> Result<bool> {
    THIMBLE_ASSIGN_OR_RETURN(const std::vector<backends::BackendName> names, backends::ParseNames(NameOrDefault(name)));
    return std::any_of(names.begin(), names.end(), [](const auto& parsed) { return parsed.dialect != nullptr; });
  });
}

}  // namespace thimble::inline v0_1
