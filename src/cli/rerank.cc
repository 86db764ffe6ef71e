// thimble rerank: documents, best answer to a query first.

#include "thimble/rerank.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/embed_texts.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process_plan.h"
#include "cli/progress.h"
#include "json/writer.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble rerank -m ms-marco-MiniLM-L6-v2 \"how do I reset my password\" < answers.txt\n"
    "  thimble rerank -m model.safetensors --top-n 3 --return-documents \"rivers of Asia\" articles.jsonl\n"
    "  thimble rerank -m model.safetensors --json --raw-scores \"rivers of Asia\" lines.txt\n"
    "\n"
    "MODEL is a reranker (a cross-encoder), which reads the query together with each document. Each result is one\n"
    "line: the score, a tab, and the number of the document, counted from 0; with --return-documents another tab and\n"
    "the document, in which spaces replace control characters. --json prints one array of objects with index, score\n"
    "and document. Without --top-n, memory grows by 16 bytes for each document, with --return-documents by its text.\n";

struct Ranked {
  float score;
  std::uint64_t index;
  std::string document;  // If wanted.
};
// Whether `a` ranks before `b`; equals rank as in the file.
bool RanksBefore(const Ranked& a, const Ranked& b) {
  return a.score != b.score ? a.score > b.score : a.index < b.index;
}

struct RerankFlags {
  SourceOptions source = {.texts = {}, .input = "-"};
  EmbedderFlags embedder;
  std::size_t top_n = 0;  // 0 for all.
  bool raw_scores = false, documents = false, json = false;
};

// The best of the documents so far.
class BestDocuments {
 public:
  explicit BestDocuments(const RerankFlags& flags) : flags_(flags) {}

  void Add(float score, std::uint64_t index, const std::string& document) {
    Ranked ranked = {score, index, {}};
    if (flags_.top_n != 0 && best_.size() == flags_.top_n) {
      if (!RanksBefore(ranked, best_.front())) return;
      std::pop_heap(best_.begin(), best_.end(), RanksBefore);
      best_.pop_back();
    }
    if (flags_.documents) ranked.document = document;
    best_.push_back(std::move(ranked));
    if (flags_.top_n != 0) std::push_heap(best_.begin(), best_.end(), RanksBefore);
  }

  Status Write(Output& output) {
    std::sort(best_.begin(), best_.end(), RanksBefore);
    std::string text = flags_.json ? "[" : "";
    json::Writer writer(text);
    for (const Ranked& ranked : best_) {
      if (flags_.json) {
        writer.Open('{').Member("index", ranked.index).Key("score").Float(ranked.score);
        if (flags_.documents) writer.Key("document").Text(ranked.document);
        writer.Close('}');
      } else {
        char digits[32];
        text.append(digits, std::to_chars(digits, digits + sizeof digits, ranked.score).ptr);
        text += "\t" + std::to_string(ranked.index);
        if (flags_.documents) text += "\t" + OneLine(ranked.document);
        text += "\n";
      }
      THIMBLE_RETURN_IF_ERROR(output.Write(text));
      text = flags_.json ? "," : "";
    }
    if (flags_.json) THIMBLE_RETURN_IF_ERROR(output.Write(best_.empty() ? "[]\n" : "]\n"));
    return output.Finish();
  }

 private:
  const RerankFlags& flags_;
  std::vector<Ranked> best_;  // With a limit a heap whose front ranks last.
};

Status Rerank(const ModelOption& model_option, const std::string& query, const RerankFlags& flags) {
  THIMBLE_ASSIGN_OR_RETURN(EmbedderOptions options, flags.embedder.Options());
  THIMBLE_ASSIGN_OR_RETURN(const VectorOptions of_texts, flags.embedder.Vectors());
  RankOptions ranking = {
      .raw_scores = flags.raw_scores, .prompt_name = of_texts.prompt_name, .long_texts = of_texts.long_texts};
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, model_option.Open());
  if (model->info().labels.size() > 1) {
    return Error(Code::kUnsupported, model->info().name, " gives a pair ", model->info().labels.size(),
                 " scores, and none of them says how well a document answers; use a model with one label");
  }
  THIMBLE_ASSIGN_OR_RETURN(ProcessPlan process, PlanThisProcess(*model, options));
  options.max_memory = process.max_model;
  THIMBLE_ASSIGN_OR_RETURN(Reranker reranker, Reranker::Create(std::move(model), options));
  NoteThreads("rerank", reranker.plan(), options.threads);
  THIMBLE_ASSIGN_OR_RETURN(Input input, Input::Open(flags.source, process.limits));
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open("", std::array{input.file(), model_option.File()}));
  BestDocuments best(flags);
  Batch batch;
  std::vector<float> scores;
  Progress progress(true);
  for (;;) {
    if (!input.ReadyWithin(kIdleMilliseconds)) reranker.Release();
    THIMBLE_RETURN_IF_ERROR(input.Next(batch));
    if (batch.texts.empty()) break;
    const std::vector<std::string_view> documents(batch.texts.begin(), batch.texts.end());
    scores.resize(documents.size());
    ranking.first_index = batch.first_index;
    THIMBLE_RETURN_IF_ERROR(reranker.Rank(query, documents, scores, {}, ranking));
    for (std::size_t i = 0; i < documents.size(); ++i) {
      if (batch.cut[i] && ranking.long_texts == LongTexts::kError) return TooLong(batch.first_index + i);
      best.Add(scores[i], batch.first_index + i, batch.texts[i]);
    }
    ShowProgress(input, batch, progress);
  }
  return best.Write(output);
}

}  // namespace

int RunRerank(int argc, char** argv) {
  ModelOption model;
  RerankFlags flags;
  std::string query;
  Arguments arguments("rerank", "Ranks the lines of a file by how well they answer a query.", kExamples);
  model.AddTo(arguments.app());
  AddOption(arguments.app(), "query", query, "QUERY", "The query")->required();
  AddOption(arguments.app(), "file", flags.source.input, "FILE",
            "File with one document per line, or one JSON value per line if it ends in .jsonl; - is standard input")
      ->capture_default_str();
  AddOption(arguments.app(), "--field", flags.source.field, "NAME", "Field of a JSON object that contains the document")
      ->capture_default_str();
  AddOption(arguments.app(), "--top-n", flags.top_n, "N", "Number of documents to print; all if not given")
      ->check(Positive());
  arguments.app().add_flag("--return-documents", flags.documents, "Print the documents, too");
  arguments.app().add_flag("--json", flags.json, "Print one JSON array");
  arguments.app().add_flag("--raw-scores", flags.raw_scores,
                           "Print what the model gives, without the function that it states for scores");
  flags.embedder.AddPairsTo(arguments.app());
  flags.embedder.AddTo(arguments.app());
  if (auto code = arguments.Parse(argc, argv)) return *code;
  return Exit("rerank", Rerank(model, query, flags));
}

}  // namespace thimble::cli
