// From flags to a backend.

#include "cli/backend_flags.h"

#include <CLI/Validators.hpp>
#include <cstdlib>
#include <string_view>

#include "base/error.h"

namespace thimble::cli {

void BackendFlags::AddTo(CLI::App& app) {
  app.add_option("--backend", backend_,
                 "What embeds: native, mock, mock-hashed, openai:MODEL, tei:URL, ollama:MODEL, cohere:MODEL, "
                 "voyage:MODEL, jina:MODEL, or several with commas between; native, or THIMBLE_BACKEND, if not given")
      ->type_name("NAME");
  app.add_option("--base-url", base_url_, "Address of the backend; as behind the @ of openai:MODEL@URL")
      ->type_name("URL");
  app.add_option("--dimensions", dimensions_, "Length of vectors to ask a remote backend for; its own if not given")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--space", space_, "What to call the vector space that all backends of a chain have")
      ->type_name("NAME");
  app.add_option("--timeout", timeout_seconds_, "Longest that a remote backend may take for 1024 texts, in seconds")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber);
}

Result<bool> BackendFlags::Choose() const {
  if (!backend_.empty() && setenv("THIMBLE_BACKEND", backend_.c_str(), 1) != 0) {
    return Error(Code::kOutOfMemory, "--backend: out of memory");
  }
  const char* chosen = std::getenv("THIMBLE_BACKEND");
  const std::string_view name = chosen == nullptr ? "" : chosen;
  if (!name.empty() && name != "native" && name != "mock" && name != "mock-hashed") return true;
  for (const auto& [flag, given] :
       {std::pair("--base-url", !base_url_.empty()), std::pair("--dimensions", dimensions_ != 0),
        std::pair("--space", !space_.empty()), std::pair("--timeout", timeout_seconds_ != 0)}) {
    if (given) return Error(Code::kInvalidArgument, flag, ": only remote backends have it; see --backend");
  }
  return false;
}

Result<Backend> BackendFlags::Open(const ModelOption& model, const EmbedderFlags& flags) const {
  BackendOptions options;
  THIMBLE_ASSIGN_OR_RETURN(options.model, model.FullName());
  options.dtype = model.dtype();
  THIMBLE_ASSIGN_OR_RETURN(options.pool.embedder, flags.Options());
  options.pool.max_memory = options.pool.embedder.max_memory;
  if (options.pool.embedder.max_tokens != 0 || options.pool.embedder.truncation != Truncation::kSentenceTransformers) {
    return Error(Code::kUnsupported, "--max-tokens, --truncation: only native backends have them");
  }
  options.base_url = base_url_;
  options.dimensions = dimensions_;
  options.space = space_;
  return Backend::Open("", options);
}

Result<BackendCall> BackendFlags::Call(const EmbedderFlags& flags) const {
  THIMBLE_ASSIGN_OR_RETURN(const VectorOptions vectors, flags.Vectors());
  if (vectors.pooling || vectors.chunk_overlap) {
    return Error(Code::kUnsupported, "--pooling, --chunk-overlap: only native backends have them");
  }
  BackendCall call = {.prompt_name = vectors.prompt_name, .normalize = vectors.normalize};
  // The provider's own way need not be asked for.
  if (vectors.long_texts != LongTexts::kTruncate) call.long_texts = vectors.long_texts;
  call.timeout = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(timeout_seconds_));
  return call;
}

}  // namespace thimble::cli
