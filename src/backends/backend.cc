// Backend: calls, their ends, and the cache in front of them.

#include "thimble/backend.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
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

namespace thimble::backends {
namespace {

using std::chrono::milliseconds;

// Zeros stay zeros.
void Normalize(std::vector<float>& vector) {
  double sum = 0;
  for (const float value : vector) sum += double{value} * value;
  if (sum == 0) return;
  const double scale = 1 / std::sqrt(sum);
  for (float& value : vector) value = static_cast<float>(value * scale);
}

}  // namespace

// A backend, the calls of it that run, and the cache in front of it.
class Session {
 public:
  Session(std::unique_ptr<Member> member, const BackendOptions& options) : member_(std::move(member)) {
    if (options.cache_bytes != 0) cache_.emplace(options.cache_bytes);
    if (!options.space.empty()) space_fingerprint_ = NamedFingerprintOf(options.space, options.dimensions);
  }
  ~Session() {
    if (fork_ == base::ForkNumber()) return;
    // Its connections belong to another process, which the end of a TLS session would disturb.
    (void)member_.release();
    new (&ended_) std::condition_variable;  // Waiters that do not exist would be waited for.
  }

  // Counts a call while it runs.
  template <typename Work>
  auto Run(const Work& work) -> decltype(work()) {
    // The mutex may be locked for ever.
    if (fork_ != base::ForkNumber()) {
      return base::Guarded([&] {
        return Error(Code::kInvalidArgument, "backend ", member_->name(),
                     ": opened before a fork; open another in the ", "child");
      });
    }
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return Error(Code::kIo, "backend ", member_->name(), ": is closed");
      ++calls_;
    }
    struct End {
      Session* session;
      ~End() {
        const std::lock_guard lock(session->mutex_);
        --session->calls_;
        session->ended_.notify_all();
      }
    } const end{this};
    return base::Guarded(work);
  }

  void Close() {
    if (fork_ != base::ForkNumber()) return;
    closed_ = true;
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return calls_ == 0; });
  }

  Status Embed(std::span<const std::string_view> texts, const BackendCall& options, std::vector<Embedding>& embeddings);
  Result<BackendInfo> Describe(const BackendCall& call) {
    THIMBLE_ASSIGN_OR_RETURN(BackendInfo info, member_->Describe(CallOf(call)));
    if (!space_fingerprint_.empty()) info.fingerprint = space_fingerprint_;
    return info;
  }

 private:
  Call CallOf(const BackendCall& call) {
    Call made = {call.prompt_name, call.long_texts, call.normalize, {}, kNever};
    made.go_on = [this, go_on = call.go_on] { return !closed_.load() && (!go_on || go_on()); };
    // Of a longer time the end cannot be reckoned.
    constexpr milliseconds kLongest = std::chrono::hours(24 * 365);
    if (call.timeout.count() > 0) {
      made.deadline = std::chrono::steady_clock::now() + std::min(call.timeout, kLongest);
    }
    return made;
  }

  const std::uint32_t fork_ = base::ForkNumber();
  std::unique_ptr<Member> member_;
  std::optional<VectorCache> cache_;
  std::string space_fingerprint_;  // Empty unless the user names the space.
  std::atomic<bool> closed_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t calls_ = 0;  // Now running.
};

Status Session::Embed(std::span<const std::string_view> texts, const BackendCall& options,
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
    if (cache_) known = cache_->Get(key_of(item.text));
    if (known) {
      item.embedding = *std::move(known);
    } else {
      missing.push_back(&item);
    }
  }
  const Status status = missing.empty() ? Status() : member_->Embed(missing, CallOf(options));
  for (const Item* item : missing) {
    if (cache_ && item->done()) cache_->Put(key_of(item->text), item->embedding);
  }
  if (options.normalize == true) {
    for (Item& item : items) Normalize(item.embedding.vector);
  }
  for (std::size_t i = 0; i < texts.size(); ++i) embeddings[i] = items[item_of[i]].embedding;
  return status;
}

// A call on a thread of its own.
struct PendingCall {
  std::shared_ptr<Session> session;
  std::vector<std::string> texts;
  BackendCall call;
  std::atomic<bool> cancelled = false;
  std::atomic<bool> done = false;
  Status status;
  std::vector<Embedding> embeddings;
  base::Thread thread;  // Last, so that it ends first.

  static void* Run(void* self) {
    auto& call = *static_cast<PendingCall*>(self);
    call.status = base::Guarded([&] {
      return call.session->Run([&]() -> Status {
        const std::vector<std::string_view> views(call.texts.begin(), call.texts.end());
        return call.session->Embed(views, call.call, call.embeddings);
      });
    });
    call.done = true;
    return nullptr;
  }
};

}  // namespace thimble::backends

namespace thimble::inline v0_1 {

PendingEmbeddings::PendingEmbeddings(std::unique_ptr<backends::PendingCall> call) : call_(std::move(call)) {}
PendingEmbeddings::PendingEmbeddings(PendingEmbeddings&&) noexcept = default;
PendingEmbeddings& PendingEmbeddings::operator=(PendingEmbeddings&& other) noexcept {
  if (call_) Cancel();
  call_ = std::move(other.call_);
  return *this;
}
PendingEmbeddings::~PendingEmbeddings() {
  if (call_) Cancel();
}

void PendingEmbeddings::Cancel() { call_->cancelled = true; }
bool PendingEmbeddings::done() const { return call_->done; }

Status PendingEmbeddings::Wait(std::vector<Embedding>& embeddings) {
  call_->thread.Join();
  if (!call_->done) {
    return base::Guarded(
        [] { return Error(Code::kInvalidArgument, "the call ran before a fork, and ends in that process"); });
  }
  embeddings = std::move(call_->embeddings);
  return call_->status;
}

Result<Backend> Backend::Open(std::string_view name, const BackendOptions& options) {
  return base::Guarded([&]() -> Result<Backend> {
    THIMBLE_ASSIGN_OR_RETURN(std::unique_ptr<backends::Member> member,
                             backends::MakeBackend(name, options, backends::SystemEnvironment()));
    return Backend(std::make_shared<backends::Session>(std::move(member), options));
  });
}

Backend::Backend(std::shared_ptr<backends::Session> session) : session_(std::move(session)) {}
Backend::Backend(Backend&&) noexcept = default;
Backend& Backend::operator=(Backend&& other) noexcept {
  if (session_) session_->Close();
  session_ = std::move(other.session_);
  return *this;
}
Backend::~Backend() {
  if (session_) session_->Close();
}

Status Backend::Embed(std::span<const std::string_view> texts, const BackendCall& call,
                      std::vector<Embedding>& embeddings) {
  return session_->Run([&] { return session_->Embed(texts, call, embeddings); });
}

Result<PendingEmbeddings> Backend::Start(std::vector<std::string> texts, const BackendCall& call) {
  return base::Guarded([&]() -> Result<PendingEmbeddings> {
    auto pending = std::make_unique<backends::PendingCall>();
    pending->session = session_;
    pending->texts = std::move(texts);
    pending->call = call;
    pending->call.go_on = [call = pending.get(), go_on = call.go_on] {
      return !call->cancelled && (!go_on || go_on());
    };
    THIMBLE_RETURN_IF_ERROR(pending->thread.Start(&backends::PendingCall::Run, pending.get(), backends::kStackBytes));
    return PendingEmbeddings(std::move(pending));
  });
}

Result<BackendInfo> Backend::Describe(const BackendCall& call) {
  return session_->Run([&] { return session_->Describe(call); });
}

void Backend::Close() { session_->Close(); }

Result<bool> IsRemoteBackend(std::string_view name) {
  return base::Guarded([&]() -> Result<bool> {
    THIMBLE_ASSIGN_OR_RETURN(const std::vector<backends::BackendName> names, backends::ParseNames(name));
    return std::any_of(names.begin(), names.end(), [](const auto& parsed) { return parsed.dialect != nullptr; });
  });
}

}  // namespace thimble::inline v0_1
