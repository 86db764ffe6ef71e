// Vectors from any backend: the engine in this process, a mock, a server, or a cloud provider.
//
//   auto backend = thimble::Backend::Open("openai:text-embedding-3-small", {.dimensions = 256});
//   if (!backend.ok()) return backend.status();
//   std::vector<thimble::Embedding> embeddings;
//   std::vector<std::string_view> texts = {"a short text", "another"};
//   thimble::Status status = backend->Embed(texts, {.timeout = std::chrono::seconds(30)}, embeddings);
//
// Link thimble::backends. Remote backends load libcurl at first use; they are not available on Windows.
//
// A backend is one of these names, or several separated by commas. This is a chain: if a backend fails, the next
// replaces it. native (a model of cache.h), mock, mock-hashed (see Model::Open), tei:URL, or DIALECT:MODEL, where
// DIALECT is openai, ollama, cohere, voyage or jina. "openai:MODEL@URL" selects another server that speaks the dialect.
// Keys come from the environment (OPENAI_API_KEY) or from files named there (OPENAI_API_KEY_FILE) and never appear in
// messages. docs/backends.md has the details.

#ifndef THIMBLE_BACKEND_H_
#define THIMBLE_BACKEND_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/embedder.h"
#include "thimble/export.h"
#include "thimble/pool.h"
#include "thimble/status.h"

namespace thimble::backends {
class Session;
struct PendingCall;
}  // namespace thimble::backends

namespace thimble::inline v0_1 {

struct BackendOptions {
  // The model of native, as in ModelPool::Acquire, or of a dialect without a model in its name.
  std::string model = {};
  std::string dtype = {};
  PoolOptions pool = {};  // For native.
  // Length of vectors: of native as in VectorOptions, of remote backends for models that offer a choice. 0 means the
  // default.
  std::size_t dimensions = 0;

  // For remote backends. kUnsupported if they are set without a remote backend.
  std::string base_url = {};      // For one backend without URL in its name; empty means that of the dialect.
  std::string encoding = {};      // "float" or "base64"; empty means the best for the dialect.
  std::size_t request_texts = 0;  // Most texts in a request; 0 means 256, or the limit of the provider if lower.
  std::size_t concurrency = 0;    // Most simultaneous requests; 0 means 4.
  std::optional<std::size_t> max_retries = {};  // For one request; unset means 4.

  // Name of the vector space that all backends of a chain share, by assurance of the caller.
  std::string space = {};
  // Size of a cache of vectors, which avoids embedding a text twice; drops the least recently used. 0 for none.
  std::size_t cache_bytes = 0;
};

// Options of one call.
struct BackendCall {
  // The kind of the texts: a prompt of the native model, or "query", "document" and so on for providers that
  // distinguish them. Unset means the default, an empty string none.
  std::optional<std::string> prompt_name = {};
  // Unset means kTruncate if the provider offers it; kChunk requires native.
  std::optional<LongTexts> long_texts = {};
  std::optional<bool> normalize = {};      // Unset means the default; false requires native.
  std::chrono::milliseconds timeout = {};  // For the whole call; 0 means no limit.
  std::function<bool()> go_on = {};        // Called several times a second, from any thread; false aborts the call.
  std::size_t first_index = 0;             // Index of the first text in messages.
};

// The vector of one text, and facts about it.
struct Embedding {
  std::vector<float> vector;          // Empty if the text failed.
  std::optional<std::size_t> tokens;  // Unset if the provider does not count them per text.
  std::optional<bool> truncated;      // Unset if the provider does not state it.
  std::size_t chunks = 1;
};

struct BackendInfo {
  std::string name;  // The first backend of a chain that answered: "native", "openai".
  std::string model;
  std::string fingerprint;                // Of the vector space, 32 hexadecimal digits; empty for a mock.
  std::size_t dimensions = 0;             // 0 while unknown.
  std::size_t max_tokens = 0;             // Limit of a text; 0 if unknown.
  std::size_t request_texts = 0;          // Most texts in a request; 0 for native.
  std::size_t request_bytes = 0;          // Most bytes of all texts in a request; 0 for native.
  std::vector<std::string> prompt_names;  // Also empty if the provider accepts any name.
  std::vector<LongTexts> long_texts;      // Supported choices.
};

// A call that runs on its own thread. Move-only. The destructor cancels the call and waits for it.
class THIMBLE_API PendingEmbeddings {
 public:
  PendingEmbeddings(PendingEmbeddings&&) noexcept;
  PendingEmbeddings& operator=(PendingEmbeddings&&) noexcept;
  ~PendingEmbeddings();

  // Ends the call soon; it may still succeed.
  void Cancel();
  bool done() const;
  // Waits for the end of the call. As Backend::Embed; call it once.
  Status Wait(std::vector<Embedding>& embeddings);

 private:
  friend class Backend;
  explicit PendingEmbeddings(std::unique_ptr<backends::PendingCall> call);
  std::unique_ptr<backends::PendingCall> call_;
};

// Thread-safe. Move-only. In the child of a fork(), calls fail with kInvalidArgument, because connections cannot be
// shared: open another backend there.
class THIMBLE_API Backend {
 public:
  // Opens the backend of that name; an empty name means THIMBLE_BACKEND in the environment, or native. Loads and
  // requests nothing before the first call. kInvalidArgument for an unknown name, an invalid URL or option, and a chain
  // of different vector spaces without `space`.
  static Result<Backend> Open(std::string_view name, const BackendOptions& options = {});

  Backend(Backend&&) noexcept;
  Backend& operator=(Backend&&) noexcept;
  ~Backend();  // As Close.

  // Sets embeddings[i] to the embedding of texts[i] (UTF-8; invalid bytes count as U+FFFD). After a failure, it still
  // contains the vectors received; the message names the texts that failed. A repeated text is embedded once.
  //
  // kInvalidArgument for requests that the provider rejects permanently; kUnsupported for options that this backend
  // lacks, and without libcurl; kNotFound for an unknown model and a missing key; kOverloaded if the provider stays
  // busy; kCorrupt for a malformed reply; kIo if the network or the provider fails, `timeout` expires, or `go_on` or
  // Close ended the call; otherwise the errors of ModelPool.
  Status Embed(std::span<const std::string_view> texts, const BackendCall& call, std::vector<Embedding>& embeddings);

  // The same on another thread. kOutOfMemory if the system refuses a thread.
  Result<PendingEmbeddings> Start(std::vector<std::string> texts, const BackendCall& call = {});

  // Loads the native model, or queries a provider that describes itself. The errors of Embed.
  Result<BackendInfo> Describe(const BackendCall& call = {});

  // Ends all calls and waits for them. Later calls fail.
  void Close();

 private:
  explicit Backend(std::shared_ptr<backends::Session> session);
  std::shared_ptr<backends::Session> session_;
};

// Whether `name`, as in Backend::Open, includes a remote backend. kInvalidArgument for an unknown name.
THIMBLE_API Result<bool> IsRemoteBackend(std::string_view name);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BACKEND_H_
