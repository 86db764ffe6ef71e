// Model: opening a file or a mock, and its tokenizer.

#include "thimble/model.h"

#include <cstdlib>
#include <limits>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "kernels/kernels.h"
#include "runtime/engine.h"
#include "runtime/mock.h"
#include "runtime/native.h"
#include "store/name.h"

namespace thimble::inline v0_1 {
namespace {

Result<std::unique_ptr<const Model::Impl>> OpenImpl(std::string_view path, const OpenOptions& options) {
  if (MockForced()) {
    const std::string_view backend = std::getenv("THIMBLE_BACKEND");
    if (store::IsMockName(backend)) {
      path = backend;
    } else if (!store::IsMockName(path) || !BackendHas(path)) {
      // What follows a colon may be an address with a password in it.
      const std::size_t colon = backend.find(':');
      return Error(Code::kInvalidArgument, "THIMBLE_BACKEND: expected native, mock or mock-hashed, found \"",
                   backend.substr(0, colon), colon == std::string_view::npos ? "" : ":...",
                   "\"; only thimble embed, thimble similar and Backend of backend.h accept remote backends");
    }
  }
  if (store::IsMockName(path)) return OpenMock(path);
  THIMBLE_ASSIGN_OR_RETURN(const kernels::Kernels* kernels, kernels::ChooseKernels());
  return OpenNative(std::string(path), options, *kernels);
}

}  // namespace

Result<std::shared_ptr<const Model>> Model::Open(const std::string& path) { return Open(path, {}); }

Result<std::shared_ptr<const Model>> Model::Open(const std::string& path, const OpenOptions& options) {
  return Guarded([&]() -> Result<std::shared_ptr<const Model>> {
    THIMBLE_ASSIGN_OR_RETURN(std::unique_ptr<const Impl> impl, OpenImpl(path, options));
    return std::shared_ptr<const Model>(new Model(std::move(impl)));
  });
}

Model::Model(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;

const ModelInfo& Model::info() const { return impl_->info(); }
std::size_t Model::dimensions() const { return info().dimensions; }
std::string_view Model::isa() const { return impl_->isa(); }
std::string_view Model::fastest_dtype() const { return impl_->fastest_dtype(); }

Result<Tokens> Model::Tokenize(std::string_view text, const TokenizeOptions& options) const {
  return Guarded([&]() -> Result<Tokens> {
    if (options.pair && options.truncate) {
      return Error(Code::kInvalidArgument, "pair: a pair of texts is not truncated; set truncate = false");
    }
    std::size_t limit = std::numeric_limits<std::size_t>::max();
    if (options.truncate) {
      THIMBLE_ASSIGN_OR_RETURN(limit, ResolveMaxTokens(*impl_, options.max_tokens, options.truncation));
    }
    THIMBLE_ASSIGN_OR_RETURN(std::string_view prompt, FindPrompt(info(), options.prompt_name));
    THIMBLE_RETURN_IF_ERROR(impl_->CheckFile());
    Result<Tokens> tokens = impl_->Tokenize(prompt, text, limit, options);
    THIMBLE_RETURN_IF_ERROR(impl_->CheckFile());
    return tokens;
  });
}

}  // namespace thimble::inline v0_1
