// Tokens: the limit of a request, and TEI's requests about them.

#include "server/app.h"
#include "thimble/vocabulary.h"

namespace thimble::server {
namespace {

// JSON around each token, and its name.
constexpr std::size_t kTokenBytes = 160;

}  // namespace

std::optional<Problem> App::CheckTokens(std::size_t tokens, const char* field) const {
  if (tokens <= options_.max_request_tokens) return std::nullopt;
  return Problem{.fault = Fault::kTooManyTokens,
                 .message = "the request has " + std::to_string(tokens) + " tokens, but at most " +
                            std::to_string(options_.max_request_tokens) + " are allowed; send its texts in parts",
                 .param = field};
}

std::optional<Problem> App::CountTokens(const Exchange& exchange, const VectorOptions& options) {
  const ModelName& name = exchange.model->opened;
  const Result<Lease> lease = pool_.Acquire(name.name, name.dtype);
  if (!lease.ok()) return ProblemOf(lease.status());
  std::size_t count = 0;
  for (const std::string& text : exchange.request.texts) {
    const Result<Tokens> tokens =
        lease->model().Tokenize(text, {.max_tokens = lease->max_tokens(), .prompt_name = options.prompt_name});
    if (!tokens.ok()) return ProblemOf(tokens.status());
    count += tokens->ids.size();
  }
  return CheckTokens(count, "input");
}

std::optional<Problem> App::Tokenize(const ExchangePtr& exchange, const Json& body) {
  TokenizeRequest request;
  if (auto problem = ParseTeiTokenize(body, request)) return problem;
  exchange->model = catalogue_.Find({});
  const ServedModel& served = *exchange->model;
  VectorOptions checked;
  if (auto problem = ResolveOptions({.prompt_name = request.prompt_name}, served.info, checked)) return problem;
  Result<Lease> lease = pool_.Acquire(served.opened.name, served.opened.dtype);
  if (!lease.ok()) return ProblemOf(lease.status());
  const thimble::Model& model = lease->model();
  const TokenizeOptions options = {.max_tokens = served.info.positions,
                                   .prompt_name = request.prompt_name,
                                   .special_tokens = request.special_tokens,
                                   .offsets = true};
  // Of all texts, so that the vocabulary is read once.
  std::vector<std::int32_t> ids;
  std::vector<ByteRange> offsets;
  std::vector<std::size_t> ends;
  std::size_t count = 0, bytes = 0;
  for (std::size_t i = 0; i < request.texts.size(); ++i) {
    Result<Tokens> tokens = model.Tokenize(request.texts[i], options);
    if (!tokens.ok()) return ProblemOf(tokens.status());
    if (tokens->truncated) {
      return Problem{.fault = Fault::kTooLong,
                     .message = "`inputs`: inputs[" + std::to_string(i) + "] has more than the " +
                                std::to_string(served.info.positions) + " tokens that " + served.info.name + " takes"};
    }
    count += tokens->ids.size();
    if (count > options_.max_request_tokens) continue;
    ids.insert(ids.end(), tokens->ids.begin(), tokens->ids.end());
    offsets.insert(offsets.end(), tokens->offsets.begin(), tokens->offsets.end());
    ends.push_back(ids.size());
    for (const ByteRange& range : tokens->offsets) bytes += (range.end - range.begin) * kMostEscapedBytes;
  }
  if (auto problem = CheckTokens(count, "inputs")) return problem;
  if (auto problem = Hold(exchange, ids.size() * kTokenBytes + bytes)) return problem;
  const Result<std::vector<TokenText>> names = TokenTexts(model, ids);
  if (!names.ok()) return ProblemOf(names.status());
  const std::string prompt = PromptText(served.info, request.prompt_name);
  std::string reply;
  json::Writer writer(reply);
  writer.Open('[');
  std::size_t begin = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const std::size_t own = ends[i] - begin;
    AppendTeiTokens(prompt + request.texts[i], std::span(ids).subspan(begin, own),
                    std::span(offsets).subspan(begin, own), std::span(*names).subspan(begin, own), reply);
    begin = ends[i];
  }
  writer.Close(']');
  exchange->reply = HttpReply{.body = std::move(reply)};
  return std::nullopt;
}

std::optional<Problem> App::Decode(const ExchangePtr& exchange, const Json& body) {
  DecodeRequest request;
  if (auto problem = ParseTeiDecode(body, request)) return problem;
  exchange->model = catalogue_.Find({});
  Result<Lease> lease = pool_.Acquire(exchange->model->opened.name, exchange->model->opened.dtype);
  if (!lease.ok()) return ProblemOf(lease.status());
  std::vector<std::int32_t> ids;
  for (const std::vector<std::int32_t>& list : request.ids) ids.insert(ids.end(), list.begin(), list.end());
  if (auto problem = CheckTokens(ids.size(), "ids")) return problem;
  if (auto problem = Hold(exchange, ids.size() * kTokenBytes)) return problem;
  const Result<std::vector<TokenText>> texts = TokenTexts(lease->model(), ids);
  if (!texts.ok()) return ProblemOf(texts.status());
  std::string reply;
  json::Writer writer(reply);
  writer.Open('[');
  std::size_t begin = 0;
  for (const std::vector<std::int32_t>& list : request.ids) {
    writer.Text(DecodeTokens(std::span(*texts).subspan(begin, list.size()), request.skip_special));
    begin += list.size();
  }
  writer.Close(']');
  exchange->reply = HttpReply{.body = std::move(reply)};
  return std::nullopt;
}

}  // namespace thimble::server
