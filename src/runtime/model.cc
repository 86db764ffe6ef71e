// Model: opening a file, and its tokenizer.

#include "thimble/model.h"

#include <memory>
#include <utility>

#include "base/error.h"
#include "runtime/model_impl.h"

namespace thimble {

Result<std::shared_ptr<const Model>> Model::Open(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(format::Reader reader, format::Reader::Open(path));
  THIMBLE_ASSIGN_OR_RETURN(Weights weights, Weights::Load(reader));
  auto impl = std::make_unique<const Impl>(std::move(reader), std::move(weights));
  return std::shared_ptr<const Model>(new Model(std::move(impl)));
}

Model::Model(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;

const ModelInfo& Model::info() const { return impl_->weights.info; }
std::size_t Model::dimensions() const { return info().dimensions; }

Result<Tokens> Model::Tokenize(std::string_view text, std::size_t max_tokens) const {
  THIMBLE_ASSIGN_OR_RETURN(std::size_t limit, ResolveMaxTokens(impl_->weights, max_tokens));
  Tokens tokens;
  tokens.ids.resize(limit);
  text::Encoded encoded = impl_->weights.tokenizer.Encode(text, tokens.ids);
  tokens.ids.resize(encoded.tokens);
  tokens.truncated = encoded.truncated;
  return tokens;
}

Result<std::size_t> ResolveMaxTokens(const Weights& weights, std::size_t requested) {
  std::size_t limit = requested == 0 ? weights.info.max_tokens : requested;
  if (limit > weights.info.positions) {
    return Error(Code::kInvalidArgument, "max_tokens ", limit, ": ", weights.info.name, " has ", weights.info.positions,
                 " positions");
  }
  if (limit <= weights.tokenizer.num_special()) {
    return Error(Code::kInvalidArgument, "max_tokens ", limit, " leaves no room beside ",
                 weights.tokenizer.num_special(), " special tokens");
  }
  return limit;
}

}  // namespace thimble
