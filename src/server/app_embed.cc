// Requests with a body: from its fields to vectors, and to the body of the reply.

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "server/app.h"

namespace thimble::server {
namespace {

// A longer body is read on another thread, so that the loop stays free.
constexpr std::size_t kShortBody = 64 << 10;
// Beside what texts, vectors and their digits take, for each text of a request.
constexpr std::size_t kTextBytes = 192;

// What the paths that embed take and give.
struct Embedding {
  Action action;
  Parsed (*parse)(const Json& body, EmbedRequest& request);
  Body (*body)(const EmbedRequest& request, const EmbedResult& result, const std::string& id);
};
constexpr Embedding kEmbeddings[] = {
    {Action::kOpenAi, ParseOpenAi, [](auto& request, auto& result, auto&) { return OpenAiBody(request, result); }},
    {Action::kTei, ParseTei, [](auto& request, auto& result, auto&) { return TeiBody(request, result); }},
    {Action::kTeiAll, ParseTei, nullptr},  // Which has vectors of its own.
    {Action::kSimilarity, ParseTeiSimilarity, [](auto&, auto& result, auto&) { return TeiSimilarityBody(result); }},
    {Action::kOllama, ParseOllama, [](auto& request, auto& result, auto&) { return OllamaBody(request, result); }},
    {Action::kOllamaOld, ParseOllamaOld, [](auto&, auto& result, auto&) { return OllamaOldBody(result); }},
    {Action::kCohere, ParseCohere, CohereBody},
    {Action::kCohereOld, ParseCohereOld, CohereOldBody},
};

const Embedding* FindEmbedding(Action action) {
  const auto* found = std::find_if(std::begin(kEmbeddings), std::end(kEmbeddings),
                                   [&](const Embedding& one) { return one.action == action; });
  return found == std::end(kEmbeddings) ? nullptr : found;
}

}  // namespace

void App::ReadBody(const ExchangePtr& exchange) {
  auto read = [this, exchange](bool& waits) -> std::optional<Problem> {
    if (auto problem = Hold(exchange, MemoryOf(exchange->body))) return problem;
    Json body;
    if (auto problem = ParseBody(exchange->body, body)) return problem;
    if (exchange->route->action == Action::kTokenize) return Tokenize(exchange, body);
    if (exchange->route->action == Action::kDecode) return Decode(exchange, body);
    const Action wanted = exchange->route->action;
    if (wanted == Action::kRerank || wanted == Action::kCohereRerank || wanted == Action::kJinaRerank) {
      return StartRerank(exchange, body, waits);
    }
    if (auto problem = Parse(exchange, body)) return problem;
    return exchange->reply ? std::nullopt : Start(exchange, waits);
  };
  const Action action = exchange->route->action;
  if (exchange->body.size() > kShortBody || action == Action::kTokenize || action == Action::kDecode) {
    return RunElsewhere(exchange, read);
  }
  bool waits = false;
  std::optional<Problem> problem = read(waits);
  if (!waits) End(exchange, std::move(problem));
}

Parsed App::Parse(const ExchangePtr& exchange, const Json& body) {
  EmbedRequest& request = exchange->request;
  if (exchange->route->action == Action::kShow) return Show(exchange, body);
  const Embedding* embedding = FindEmbedding(exchange->route->action);
  if (embedding != nullptr) return embedding->parse(body, request);
  return Problem{.fault = Fault::kInternal, .message = "this path takes no body"};
}

std::optional<Problem> App::ChooseModel(const ExchangePtr& exchange, const std::string& name, Purpose purpose) const {
  const auto serves = [&](const ServedModel& model) { return purpose == Purpose::kEmbed ? model.embeds : model.ranks; };
  const ServedModel* model = catalogue_.Find(name);
  if (model == nullptr) {
    const bool ollama = exchange->route->dialect == Dialect::kOllama;
    return Problem{
        .fault = Fault::kUnknownModel,
        .message = ollama ? "model " + Json(name).Text() + " not found, try one of: " + catalogue_.Ids()
                          : "The model " + Json(name).Text() + " does not exist; this server has: " + catalogue_.Ids(),
        .param = "model"};
  }
  if (name.empty()) {
    std::string ids;
    std::size_t count = 0;
    for (const auto& other : catalogue_.models()) {
      if (!serves(*other)) continue;
      if (count++ == 0) model = other.get();
      ids += (ids.empty() ? "" : ", ") + other->id;
    }
    if (count > 1 && exchange->route->dialect != Dialect::kTei) {
      return Problem{.fault = Fault::kBadRequest,
                     .message = "`model`: missing, and this server has several: " + ids,
                     .param = "model"};
    }
  }
  exchange->model = model;
  if (serves(*model)) return std::nullopt;
  return Problem{.fault = Fault::kBackend,
                 .message = purpose == Purpose::kRank
                                ? "model is not a re-ranker model: " + model->id + " is an embedding model"
                                : "model is not an embedding model: " + model->id +
                                      " is a reranker; send its texts to /rerank, /v1/rerank or /v2/rerank",
                 .param = "model"};
}

std::optional<Problem> App::Start(const ExchangePtr& exchange, bool& waits) {
  EmbedRequest& request = exchange->request;
  if (auto problem = ChooseModel(exchange, request.model, Purpose::kEmbed)) return problem;
  if (request.texts.size() > options_.max_items) {
    return Problem{.fault = Fault::kTooManyItems,
                   .message = "batch size " + std::to_string(request.texts.size()) + " > maximum allowed batch size " +
                              std::to_string(options_.max_items),
                   .param = "input"};
  }
  const ServedModel& model = *exchange->model;
  auto work = std::make_shared<EmbedWork>();
  if (auto problem = ResolveOptions(request, model.info, work->options)) return problem;
  exchange->body = std::string();
  if (request.texts.size() * model.info.positions <= options_.max_request_tokens) return Embed(exchange, work, waits);
  RunElsewhere(exchange, [this, exchange, work](bool& embeds) {
    auto problem = CountTokens(*exchange, work->options);
    return problem ? problem : Embed(exchange, work, embeds);
  });
  waits = true;
  return std::nullopt;
}

std::optional<Problem> App::Embed(const ExchangePtr& exchange, const std::shared_ptr<EmbedWork>& work, bool& waits) {
  EmbedRequest& request = exchange->request;
  const ServedModel& model = *exchange->model;
  if (exchange->route->action == Action::kTeiAll) {
    RunElsewhere(exchange, [this, exchange](bool&) { return EmbedAll(exchange); });
    waits = true;
    return std::nullopt;
  }
  std::size_t bytes = 0;
  const std::size_t dimensions = work->options.dimensions.value_or(model.info.dimensions);
  for (Encoding encoding : request.encodings) bytes += VectorTextBytes(dimensions, encoding);
  bytes += dimensions * sizeof(float) + kTextBytes;
  if (auto problem = Hold(exchange, bytes * request.texts.size())) return problem;
  work->model = exchange->model;
  work->texts = request.texts;
  if (exchange->route->dialect != Dialect::kCohere) request.texts = {};
  if (!exchange->SetWork(work)) return Problem{.fault = Fault::kBusy, .message = "cancelled"};
  if (work->texts.empty()) {
    // Ollama's way to load a model.
    RunElsewhere(exchange, [this, exchange](bool&) { return ReplyWithVectors(exchange); });
    waits = true;
    return std::nullopt;
  }
  work->done = [this, exchange] { Reply(exchange); };
  const Status status = base::Guarded([&] { return batcher_->Submit(work); });
  waits = status.ok();
  if (waits) return std::nullopt;
  work->done = nullptr;  // Which holds the exchange, which holds the work.
  return ProblemOf(status);
}

void App::Reply(const ExchangePtr& exchange) {
  std::optional<Problem> problem;
  const Status status = base::Guarded([&] {
    problem = ReplyWithVectors(exchange);
    return Status();
  });
  if (!status.ok()) problem = ProblemOf(status);
  End(exchange, std::move(problem));
}

std::optional<Problem> App::ReplyWithVectors(const ExchangePtr& exchange) {
  const std::shared_ptr<EmbedWork> held = exchange->work();
  EmbedWork& work = *held;
  const EmbedRequest& request = exchange->request;
  const ModelInfo& info = exchange->model->info;
  if (!work.status.ok()) {
    Problem problem = ProblemOf(work.status);
    if (!request.truncate && problem.fault == Fault::kBadRequest) {
      problem.fault = Fault::kTooLong;
      if (exchange->route->dialect == Dialect::kOllama) {
        problem.message = "the input length exceeds the context length: " + problem.message;
      }
    }
    return problem;
  }
  for (std::size_t i = 0; i < work.reports.size(); ++i) {
    if (request.most_tokens == 0 || work.reports[i].tokens <= request.most_tokens) continue;
    return Problem{.fault = Fault::kTooLong,
                   .message = "`" + request.most_tokens_field + "`: texts[" + std::to_string(i) + "] has " +
                              std::to_string(work.reports[i].tokens) +
                              " tokens; cutting texts to fewer than the model's limit of " +
                              std::to_string(info.max_tokens) + " is not supported, found " +
                              std::to_string(request.most_tokens),
                   .param = request.most_tokens_field};
  }
  const Result<CodeRange> range = RangeOf(request.encodings, info, work.options);
  if (!range.ok()) return ProblemOf(range.status());
  exchange->texts = work.reports.size();
  exchange->tokens = TotalTokens(work.reports);
  const EmbedResult result = {.model = exchange->model->id,
                              .values = work.vectors,
                              .dimensions = work.options.dimensions.value_or(info.dimensions),
                              .range = *range,
                              .reports = work.reports,
                              .total = Clock::now() - exchange->begin,
                              .load = work.load};
  if (exchange->route->action == Action::kRoot) {
    exchange->reply = Page(exchange, TeiSimilarity(result), {});
    return std::nullopt;
  }
  Body body = FindEmbedding(exchange->route->action)->body(request, result, exchange->id);
  if (!body) {
    return Problem{.fault = Fault::kBackend, .message = info.name + " gave a vector with a value that is not finite"};
  }
  exchange->reply = HttpReply{.body = *std::move(body)};
  if (request.keep_alive) {
    Keep(*exchange->model, *request.keep_alive);
  } else if (work.texts.empty()) {
    const Status status = pool_.Preload(exchange->model->opened.name, exchange->model->opened.dtype);
    if (!status.ok()) return ProblemOf(status);
  }
  return std::nullopt;
}

std::optional<Problem> App::EmbedAll(const ExchangePtr& exchange) {
  const EmbedRequest& request = exchange->request;
  const ServedModel& model = *exchange->model;
  const std::size_t width = model.info.token_dimensions;
  if (request.dimensions) {
    return Problem{.fault = Fault::kBadRequest, .message = "`dimensions`: vectors of tokens are not cut"};
  }
  const std::string prompt = PromptText(model.info, request.prompt_name);
  Result<Lease> lease = pool_.Acquire(model.opened.name, model.opened.dtype);
  if (!lease.ok()) return ProblemOf(lease.status());
  std::string body;
  json::Writer writer(body);
  writer.Open('[');
  std::vector<float> rows(lease->max_tokens() * width);
  for (std::size_t i = 0; i < request.texts.size(); ++i) {
    // What the vectors of one text take is known before they are made.
    const std::size_t most = std::min(lease->max_tokens(), prompt.size() + request.texts[i].size() + 16);
    if (auto problem = Hold(exchange, most * VectorTextBytes(width, Encoding::kFloat))) return problem;
    Result<Report> report = lease->EmbedTokens(prompt + request.texts[i], rows);
    if (!report.ok()) return ProblemOf(report.status());
    if (report->truncated && !request.truncate) {
      return Problem{.fault = Fault::kTooLong,
                     .message = "`inputs` must have at most " + std::to_string(lease->max_tokens()) +
                                " tokens: inputs[" + std::to_string(i) + "] has more"};
    }
    writer.Open('[');
    for (std::size_t t = 0; t < report->tokens; ++t) {
      if (!AppendVector(std::span(rows).subspan(t * width, width), Encoding::kFloat, false, {}, body)) {
        return Problem{.fault = Fault::kBackend, .message = "a vector has a value that is not finite"};
      }
    }
    writer.Close(']');
    exchange->tokens += report->tokens;
    ++exchange->texts;
  }
  writer.Close(']');
  exchange->reply = HttpReply{.body = std::move(body)};
  return std::nullopt;
}

}  // namespace thimble::server
