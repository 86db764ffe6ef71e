// Ranking documents: from the fields of a request to scores, and to the body of the reply.

#include <algorithm>
#include <utility>

#include "server/app.h"

namespace thimble::server {
namespace {

// JSON around each document of a reply, its score, and its place among the others.
constexpr std::size_t kDocumentBytes = 160;
// Documents that are scored before others have their turn.
constexpr std::size_t kTurnDocuments = 32;

}  // namespace

std::optional<Problem> App::StartRerank(const ExchangePtr& exchange, const Json& body, bool& waits) {
  auto request = std::make_shared<RerankRequest>();
  const bool tei = exchange->route->action == Action::kRerank;
  request->version = exchange->route->action == Action::kCohereRerank ? "2" : "1";
  if (auto problem = tei ? ParseTeiRerank(body, *request) : ParseRerank(body, *request)) return problem;
  if (auto problem = ChooseModel(exchange, request->model, Purpose::kRank)) return problem;
  const ModelInfo& info = exchange->model->info;
  if (info.labels.size() > 1) {
    return Problem{.fault = Fault::kBackend,
                   .message = info.name + " gives a pair " + std::to_string(info.labels.size()) +
                              " scores, and none of them says how well a document answers",
                   .param = "model"};
  }
  if (request->documents.size() > options_.max_items) {
    return Problem{.fault = Fault::kTooManyItems,
                   .message = "batch size " + std::to_string(request->documents.size()) +
                              " > maximum allowed batch size " + std::to_string(options_.max_items),
                   .param = tei ? "texts" : "documents"};
  }
  if (request->document_tokens != 0 && request->document_tokens < info.max_tokens) {
    return Problem{.fault = Fault::kBadRequest,
                   .message = "`max_tokens_per_doc`: cutting documents to fewer tokens than the model's limit of " +
                              std::to_string(info.max_tokens) + " is not supported, found " +
                              std::to_string(request->document_tokens),
                   .param = "max_tokens_per_doc"};
  }
  const std::size_t forms = tei ? 1 : std::size_t{request->results} + std::size_t{request->data};
  std::size_t bytes = forms * kDocumentBytes * request->documents.size();
  if (request->return_documents) {
    for (const std::string& document : request->documents) bytes += forms * document.size() * kMostEscapedBytes;
  }
  if (auto problem = Hold(exchange, bytes)) return problem;
  exchange->body = std::string();
  RunElsewhere(exchange, [this, exchange, request](bool&) { return Rerank(exchange, *request); });
  waits = true;
  return std::nullopt;
}

std::optional<Problem> App::Rerank(const ExchangePtr& exchange, const RerankRequest& request) {
  const ServedModel& model = *exchange->model;
  Result<Lease> lease = pool_.Acquire(model.opened.name, model.opened.dtype);
  if (!lease.ok()) return ProblemOf(lease.status());
  const std::size_t limit = lease->max_tokens();
  if (request.documents.size() * limit > options_.max_request_tokens) {
    const auto tokens_of = [&](const std::string& text) -> Result<std::size_t> {
      const Result<Tokens> tokens = lease->model().Tokenize(text, {.max_tokens = limit});
      return tokens.ok() ? Result<std::size_t>(tokens->ids.size()) : Result<std::size_t>(tokens.status());
    };
    const Result<std::size_t> query = tokens_of(request.query);
    if (!query.ok()) return ProblemOf(query.status());
    std::size_t count = 0;
    for (const std::string& document : request.documents) {
      const Result<std::size_t> tokens = tokens_of(document);
      if (!tokens.ok()) return ProblemOf(tokens.status());
      count += std::min(limit, *query + *tokens);
    }
    if (auto problem = CheckTokens(count, "documents")) return problem;
  }
  RankOptions options = {.raw_scores = request.raw_scores,
                         .long_texts = request.truncate ? LongTexts::kTruncate : LongTexts::kError};
  std::vector<float> scores(request.documents.size());
  std::vector<Report> reports(request.documents.size());
  const std::vector<std::string_view> documents(request.documents.begin(), request.documents.end());
  for (std::size_t begin = 0, count; begin < documents.size(); begin += count) {
    if (exchange->gone()) return Problem{.fault = Fault::kBusy, .message = "cancelled"};
    count = std::min(kTurnDocuments, documents.size() - begin);
    options.first_index = begin;
    const Status status =
        lease->Rank(request.query, std::span(documents).subspan(begin, count), std::span(scores).subspan(begin, count),
                    std::span(reports).subspan(begin, count), options);
    if (status.ok()) continue;
    Problem problem = ProblemOf(status);
    if (!request.truncate && problem.fault == Fault::kBadRequest) problem.fault = Fault::kTooLong;
    return problem;
  }
  exchange->texts = reports.size();
  exchange->tokens = TotalTokens(reports);
  const RerankResult result = {.model = model.id, .scores = scores, .tokens = exchange->tokens};
  const bool tei = exchange->route->action == Action::kRerank;
  exchange->reply = HttpReply{.body = tei ? TeiRerankBody(request, result) : RerankBody(request, result, exchange->id)};
  return std::nullopt;
}

}  // namespace thimble::server
