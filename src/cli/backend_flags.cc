// From flags to a backend.

#include <chrono>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "cli/options.h"
#include "runtime/engines.h"

namespace thimble::cli {

Result<bool> BackendFlags::Choose() const {
  if (!backend.empty() && setenv("THIMBLE_BACKEND", backend.c_str(), 1) != 0) {
    return Error(Code::kOutOfMemory, "--backend: out of memory");
  }
  if (runtime::FindEngine(runtime::ChosenBackends()) == nullptr) return true;
  for (const auto& [flag, given] : {std::pair("--base-url", !base_url.empty()), std::pair("--space", !space.empty()),
                                    std::pair("--timeout", timeout_seconds != 0)}) {
    if (given) return Error(Code::kInvalidArgument, flag, ": only remote backends accept it; see --backend");
  }
  return false;
}

Result<Backend> BackendFlags::Open(const ModelOption& model, const EmbedderOptions& embedder,
                                   const VectorOptions& vectors) const {
  if (embedder.max_tokens != 0 || embedder.truncation != Truncation::kSentenceTransformers) {
    return Error(Code::kUnsupported, "--max-tokens and --truncation: only native backends accept them; leave them out");
  }
  if (model.open().given()) {
    return Error(Code::kUnsupported, "--load and --verify: only native backends accept them; leave them out");
  }
  THIMBLE_ASSIGN_OR_RETURN(const std::string name, model.FullName());
  BackendOptions options = {.model = name, .dtype = model.dtype()};
  options.pool.embedder = embedder;
  options.pool.max_memory = embedder.max_memory;
  options.base_url = base_url;
  options.dimensions = vectors.dimensions.value_or(0);
  options.space = space;
  return Backend::Open("", options);
}

Result<BackendCall> BackendFlags::Call(const VectorOptions& vectors) const {
  if (vectors.pooling || vectors.chunk_overlap) {
    return Error(Code::kUnsupported, "--pooling and --chunk-overlap: only native backends accept them; leave them out");
  }
  BackendCall call = {.prompt_name = vectors.prompt_name, .normalize = vectors.normalize};
  // The provider's own way need not be asked for.
  if (vectors.long_texts != LongTexts::kTruncate) call.long_texts = vectors.long_texts;
  call.timeout = std::chrono::seconds(timeout_seconds);
  return call;
}

}  // namespace thimble::cli
