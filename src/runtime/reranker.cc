// Reranker: pairs as a batch, and what becomes of their scores.

#include <cmath>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "runtime/session.h"
#include "thimble/rerank.h"

namespace thimble::runtime {
namespace {

// e^x for |x| <= 700, relative error below 1e-15. Of operations that IEEE 754 defines, so that it has the same bits
// with every C library.
double Exp(double x) {
  constexpr double kLog2E = 1.4426950408889634, kLn2High = 0.693147180369123816490,
                   kLn2Low = 1.90821492927058770002e-10;
  const double n = std::floor(x * kLog2E + 0.5);
  const double f = (x - n * kLn2High) - n * kLn2Low;
  double sum = 1;
  for (int k = 13; k > 0; --k) sum = 1 + sum * f / k;
  return std::ldexp(sum, static_cast<int>(n));
}

float Sigmoid(float x) {
  // Beyond these it is 0 or 1 in floats.
  if (x > 100) return 1;
  if (x < -600) return 0;
  return static_cast<float>(1 / (1 + Exp(-static_cast<double>(x))));
}

}  // namespace

Status Session::Rank(std::string_view query, std::span<const std::string_view> documents, std::span<float> scores,
                     std::span<Report> reports, const RankOptions& options) {
  return Call([&](Workers&) -> Status {
    THIMBLE_RETURN_IF_ERROR(CheckRanks(engine()));
    const std::size_t width = engine().num_scores();
    if (scores.size() / width != documents.size() || scores.size() % width != 0) {
      return Error(Code::kInvalidArgument, "scores: expected ", documents.size(), " x ", width, " floats, found ",
                   scores.size());
    }
    if (!reports.empty() && reports.size() != documents.size()) {
      return Error(Code::kInvalidArgument, "reports: expected none or ", documents.size(), ", found ", reports.size());
    }
    if (options.long_texts == LongTexts::kChunk) {
      return Error(Code::kInvalidArgument, "`long_texts`: a pair is not scored in chunks; set truncate or error");
    }
    THIMBLE_ASSIGN_OR_RETURN(const std::string_view prompt, FindPrompt(info(), options.prompt_name));
    const Batch batch = {.texts = documents,
                         .query = query,
                         .vectors = scores.data(),
                         .dimensions = engine().num_scores(),
                         .reports = reports,
                         .pooling = info().pooling,
                         .normalize = false,
                         .prompt = prompt,
                         .long_texts = options.long_texts,
                         .first_index = options.first_index,
                         .stop = options.stop};
    THIMBLE_RETURN_IF_ERROR(Watched([&] { return Run(batch); }));
    if (!options.raw_scores && info().score_activation == "sigmoid") {
      for (float& score : scores) score = Sigmoid(score);
    }
    return Status();
  });
}

}  // namespace thimble::runtime

namespace thimble::inline v0_1 {

Reranker::Reranker(std::unique_ptr<runtime::Session> session) : session_(std::move(session)) {}
Reranker::Reranker(Reranker&&) noexcept = default;
Reranker& Reranker::operator=(Reranker&&) noexcept = default;
Reranker::~Reranker() = default;

Result<Reranker> Reranker::Create(std::shared_ptr<const Model> model, const EmbedderOptions& options) {
  return base::Guarded([&]() -> Result<Reranker> {
    if (model == nullptr) return Error(Code::kInvalidArgument, "Reranker::Create: the model is null");
    THIMBLE_RETURN_IF_ERROR(runtime::CheckRanks(model->engine()));
    THIMBLE_ASSIGN_OR_RETURN(std::unique_ptr<runtime::Session> session,
                             runtime::Session::Create(std::move(model), options));
    return Reranker(std::move(session));
  });
}

Status Reranker::Rank(std::string_view query, std::span<const std::string_view> documents, std::span<float> scores,
                      std::span<Report> reports, const RankOptions& options) {
  return session_->Rank(query, documents, scores, reports, options);
}

void Reranker::Release() { session_->Release(); }

std::size_t Reranker::num_scores() const { return session_->model().engine().num_scores(); }
const Plan& Reranker::plan() const { return session_->plan(); }

}  // namespace thimble::inline v0_1
