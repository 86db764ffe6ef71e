// Model: opening by path or name, and its tokenizer.

#include "thimble/model.h"

#include <limits>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "runtime/engine.h"
#include "runtime/engines.h"
#include "store/lookup.h"
#include "thimble/cache.h"

namespace thimble::inline v0_1 {

Result<std::shared_ptr<const Model>> Model::Open(const std::string& path) { return Open(path, {}); }

Result<std::shared_ptr<const Model>> Model::Open(const std::string& path, const OpenOptions& options) {
  return base::Guarded([&]() -> Result<std::shared_ptr<const Model>> {
    THIMBLE_ASSIGN_OR_RETURN(std::unique_ptr<const runtime::Engine> engine, runtime::OpenEngine(path, options));
    return std::shared_ptr<const Model>(new Model(std::move(engine)));
  });
}

Result<std::shared_ptr<const Model>> OpenModel(std::string_view model, std::string_view dtype,
                                               const std::string& folder, const OpenOptions& options) {
  return base::Guarded([&]() -> Result<std::shared_ptr<const Model>> {
    std::string path(model);
    if (!runtime::FilesAreReplaced()) {
      THIMBLE_ASSIGN_OR_RETURN(path, store::Lookup(model, dtype, folder));
    }
    THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> opened, Model::Open(path, options));
    if (path == model) THIMBLE_RETURN_IF_ERROR(opened->engine().CheckDtype(dtype));
    return opened;
  });
}

Model::Model(std::unique_ptr<const runtime::Engine> engine) : engine_(std::move(engine)) {}
Model::~Model() = default;

const ModelInfo& Model::info() const { return engine_->info(); }
std::size_t Model::dimensions() const { return info().dimensions; }
std::string_view Model::isa() const { return engine_->isa(); }
std::string_view Model::fastest_dtype() const { return engine_->fastest_dtype(); }

Result<Tokens> Model::Tokenize(std::string_view text, const TokenizeOptions& options) const {
  return base::Guarded([&]() -> Result<Tokens> {
    if (options.pair && options.truncate) {
      return Error(Code::kInvalidArgument, "pair: a pair of texts is not truncated; set truncate = false");
    }
    std::size_t limit = std::numeric_limits<std::size_t>::max();
    if (options.truncate) {
      THIMBLE_ASSIGN_OR_RETURN(limit, runtime::ResolveMaxTokens(*engine_, options.max_tokens, options.truncation));
    }
    THIMBLE_ASSIGN_OR_RETURN(std::string_view prompt, runtime::FindPrompt(info(), options.prompt_name));
    THIMBLE_RETURN_IF_ERROR(engine_->CheckFile());
    Result<Tokens> tokens = engine_->Tokenize(prompt, text, limit, options);
    THIMBLE_RETURN_IF_ERROR(engine_->CheckFile());
    return tokens;
  });
}

}  // namespace thimble::inline v0_1
