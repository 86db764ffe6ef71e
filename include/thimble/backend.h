// Vectors from wherever they come: the engine in this process, a mock, a server, or a provider in a cloud.
//
//   auto backend = thimble::Backend::Open("openai:text-embedding-3-small", {.dimensions = 256});
//   if (!backend.ok()) return backend.status();
//   std::vector<thimble::Embedding> embeddings;
//   std::vector<std::string_view> texts = {"a short text", "another"};
//   thimble::Status status = backend->Embed(texts, {.timeout = std::chrono::seconds(30)}, embeddings);
//
// Link thimble::backends. Remote backends load libcurl when they are first used; there are none on Windows.
//
// A backend is one of these names, or several with commas between them, a chain, whose next backend stands in for one
// that fails: native (a model of cache.h), mock, mock-hashed (see Model::Open), or DIALECT:MODEL with DIALECT openai,
// ollama, cohere, voyage or jina, or tei:URL. "openai:MODEL@URL" is for any other server that speaks the dialect.
// Keys come from the environment (OPENAI_API_KEY) or from files that it names (OPENAI_API_KEY_FILE), and are in no
// message. docs/backends.md has the details.

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
#include "thimble/pool.h"
#include "thimble/status.h"

namespace thimble {

struct BackendOptions {
  // The model of native, as ModelPool::Acquire takes it, and of a dialect without a model in its name.
  std::string model = {};
  std::string dtype = "q8";
  PoolOptions pool = {};  // Of native.

  // Of remote backends. kUnsupported when they are set and there is none.
  std::string base_url = {};      // Where the backend's name has none, and there is one; empty: that of the dialect.
  std::size_t dimensions = 0;     // Of the vectors, for models that can be asked; 0 means the provider's own.
  std::string encoding = {};      // "float" or "base64"; empty: what suits the dialect.
  std::size_t request_texts = 0;  // Most texts of a request; 0 means 256, or fewer where the provider takes fewer.
  std::size_t concurrency = 0;    // Most requests at a time; 0 means 4.
  std::optional<std::size_t> max_retries = {};  // Of one request; unset means 4.

  // The user's word that all backends of a chain have one vector space, and what it is called.
  std::string space = {};
  // Vectors kept so that a text is not embedded, nor paid for, twice; those used longest ago are dropped. 0 for none.
  std::size_t cache_bytes = 0;
};

// Options of one call.
struct BackendCall {
  // What the texts are: a prompt of the native model, or "query", "document" and so on of a provider that
  // distinguishes them. Unset means the default, empty none.
  std::optional<std::string> prompt_name = {};
  // kTruncate where unset, if the provider can be asked; kChunk is for native.
  std::optional<LongTexts> long_texts = {};
  std::optional<bool> normalize = {};      // Unset means as they come; false is for native.
  std::chrono::milliseconds timeout = {};  // Of the whole call; 0 means none.
  std::function<bool()> go_on = {};        // Asked several times a second, from any thread; false ends the call.
  std::size_t first_index = 0;             // What messages call the first text.
};

// The vector of one text, and what is known of its making.
struct Embedding {
  std::vector<float> vector;          // Empty when there is none.
  std::optional<std::size_t> tokens;  // Unset where the provider does not count those of one text.
  std::optional<bool> truncated;      // Unset where it does not say.
  std::size_t chunks = 1;
};

struct BackendInfo {
  std::string name;  // Of the first backend of a chain that answered: "native", "openai".
  std::string model;
  std::string fingerprint;                // Of the vector space, 32 hexadecimal digits; empty for a mock.
  std::size_t dimensions = 0;             // 0 while a provider has not shown them.
  std::size_t max_tokens = 0;             // Of a text; 0 where that is not known.
  std::size_t request_texts = 0;          // Most texts of a request; 0 for native.
  std::size_t request_bytes = 0;          // Most bytes of its texts together; 0 for native.
  std::vector<std::string> prompt_names;  // Empty also for a provider that takes any name.
  std::vector<LongTexts> long_texts;      // What a call can choose.
};

// A call that runs on a thread of its own. Move-only; destroyed, it is cancelled, and waited for.
class PendingEmbeddings {
 public:
  PendingEmbeddings(PendingEmbeddings&&) noexcept;
  PendingEmbeddings& operator=(PendingEmbeddings&&) noexcept;
  ~PendingEmbeddings();

  // Ends the call soon; it may have succeeded before.
  void Cancel();
  bool done() const;
  // Waits for the end. As Backend::Embed; to be called once.
  Status Wait(std::vector<Embedding>& embeddings);

 private:
  friend class Backend;
  struct State;
  explicit PendingEmbeddings(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Thread-safe. Move-only.
class Backend {
 public:
  // The backend of that name; an empty one stands for the environment's THIMBLE_BACKEND, or native. Nothing is loaded
  // or asked before the first call. kInvalidArgument for an unknown name, an impossible URL or option, and a chain of
  // different vector spaces without `space`.
  static Result<Backend> Open(std::string_view name, const BackendOptions& options = {});

  Backend(Backend&&) noexcept;
  Backend& operator=(Backend&&) noexcept;
  ~Backend();  // As Close.

  // Sets embeddings[i] to that of texts[i] (UTF-8; invalid bytes count as U+FFFD). After a failure those that there are
  // stand there all the same, and the message says which texts failed. A text that appears twice is embedded once.
  //
  // kInvalidArgument for what the provider says can never work; kUnsupported for an option that this backend lacks, and
  // without libcurl; kNotFound for an unknown model and a missing key; kOverloaded when the provider stays busy;
  // kCorrupt for a reply that is not what the dialect says; kIo when network or provider fail, when `timeout` is over,
  // and when `go_on` or Close ended the call; else the errors of ModelPool.
  Status Embed(std::span<const std::string_view> texts, const BackendCall& call, std::vector<Embedding>& embeddings);

  // The same on another thread. kOutOfMemory when there is none.
  Result<PendingEmbeddings> Start(std::vector<std::string> texts, const BackendCall& call = {});

  // Loads the native model, or asks a provider that has a page about itself. The errors of Embed.
  Result<BackendInfo> Describe(const BackendCall& call = {});

  // Ends all calls, and waits for them. Calls from now on fail.
  void Close();

 private:
  friend class PendingEmbeddings;
  struct Impl;
  explicit Backend(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

// Whether `name`, as Backend::Open takes it, has a remote backend in it. kInvalidArgument for an unknown name.
Result<bool> IsRemoteBackend(std::string_view name);

}  // namespace thimble

#endif  // THIMBLE_BACKEND_H_
