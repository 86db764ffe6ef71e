// thimble similar: the lines of a file, most alike first.

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/embed_texts.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process_plan.h"
#include "cli/progress.h"
#include "cli/prompts.h"
#include "cli/similar_store.h"
#include "json/writer.h"
#include "thimble/receipt.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble similar -m model.safetensors \"how do I reset my password\" questions.txt\n"
    "  thimble similar -m model.safetensors --top 3 --field title \"rivers of Asia\" articles.jsonl\n"
    "  thimble similar -m e5-small-v2.safetensors --prompts \"how tall is a giraffe\" passages.txt\n"
    "  thimble similar --backend ollama:all-minilm \"rivers of Asia\" lines.txt\n"
    "  thimble similar --store docs.store \"how do I reset my password\"\n"
    "\n"
    "Each result is one line: the cosine similarity, its percentile, and the text, in which spaces replace control\n"
    "characters, with tabs between them. The percentile says how many of 100 pairs of unrelated texts are less alike\n"
    "for this model; it is - where that is not known: for backends, mocks and files from an older converter.\n"
    "\n"
    "--store searches what thimble sync wrote, exactly, with its model and prompts; another -m must be the same "
    "model.\n"
    "Results then have file:line-line and the headings of the chunk before the text.\n";

struct Match {
  double cosine;
  std::uint64_t index;
  std::string text;
};
// Whether `a` ranks before `b`; equals rank as in the file.
bool Before(const Match& a, const Match& b) { return a.cosine != b.cosine ? a.cosine > b.cosine : a.index < b.index; }

// The lines that are most alike to a text.
class Ranking {
 public:
  // `wanted` is the vector of the text.
  Ranking(std::span<const float> wanted, std::size_t top) : wanted_(wanted), top_(top) {}

  void Add(std::span<const float> vector, std::uint64_t index, const std::string& text) {
    Match match{std::inner_product(wanted_.begin(), wanted_.end(), vector.begin(), 0.0), index, {}};
    if (best_.size() == top_) {
      if (!Before(match, best_.front())) return;
      std::pop_heap(best_.begin(), best_.end(), Before);
      best_.pop_back();
    }
    match.text = text;
    best_.push_back(std::move(match));
    std::push_heap(best_.begin(), best_.end(), Before);
  }
  // With percentiles where `receipt` knows them.
  Status Write(const std::optional<Receipt>& receipt, bool as_json, Output& output) {
    std::sort_heap(best_.begin(), best_.end(), Before);
    const bool known = receipt && receipt->unrelated;
    for (Match& match : best_) {
      const double percentile = known ? Percentile(*receipt->unrelated, match.cosine) : 0;
      if (as_json) {
        std::string line;
        json::Writer writer(line);
        writer.Open('{').Member("cosine", match.cosine);
        writer.Member("percentile", known ? json::Value(percentile) : json::Value());
        writer.Member("index", match.index).Member("text", match.text).Close('}');
        THIMBLE_RETURN_IF_ERROR(output.Write(line + "\n"));
        continue;
      }
      char numbers[64], *rest = numbers + std::snprintf(numbers, 32, "%.4f\t", match.cosine);
      std::snprintf(rest, 32, known ? "%.2f\t" : "-\t", percentile);
      THIMBLE_RETURN_IF_ERROR(output.Write(numbers + OneLine(std::move(match.text)) + "\n"));
    }
    return output.Finish();
  }

 private:
  const std::span<const float> wanted_;
  const std::size_t top_;
  std::vector<Match> best_;  // A heap whose front ranks last.
};

Status Similar(const ModelOption& model_option, const std::string& query, const SourceOptions& source,
               const EmbedderFlags& flags, bool prompts, std::size_t top, bool as_json) {
  THIMBLE_ASSIGN_OR_RETURN(EmbedderOptions options, flags.Options());
  THIMBLE_ASSIGN_OR_RETURN(VectorOptions of_query, flags.Vectors());
  of_query.normalize = true;  // A dot product is then the cosine.
  VectorOptions of_lines = of_query;
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, model_option.Open());
  if (prompts) {
    THIMBLE_ASSIGN_OR_RETURN(const PromptPair pair, FindPrompts(model->info()));
    of_query.prompt_name = pair.query;
    of_lines.prompt_name = pair.line;
  }
  std::optional<Receipt> receipt;  // Its percentiles are of the model's own vectors.
  if (of_query.dimensions.value_or(model->dimensions()) == model->dimensions() && !of_query.pooling) {
    THIMBLE_ASSIGN_OR_RETURN(receipt, ReadReceipt(*model));
  }
  THIMBLE_ASSIGN_OR_RETURN(ProcessPlan process, PlanThisProcess(*model, options));
  options.max_memory = process.max_model;
  THIMBLE_ASSIGN_OR_RETURN(Embedder embedder, Embedder::Create(std::move(model), options));
  NoteThreads("similar", embedder.plan(), options.threads);
  THIMBLE_ASSIGN_OR_RETURN(Input input, Input::Open(source, process.limits));
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open("", std::array{input.file(), model_option.File()}));

  const std::size_t dimensions = of_query.dimensions.value_or(embedder.dimensions());
  std::vector<float> wanted(dimensions);
  auto report = embedder.Embed(query, wanted, of_query);
  if (!report.ok()) return report.status();

  Ranking ranking(wanted, top);
  auto take = [&](const Batch& batch, std::span<const float> vectors, std::span<const Report>) -> Status {
    for (std::size_t i = 0; i < batch.texts.size(); ++i) {
      ranking.Add(vectors.subspan(i * dimensions, dimensions), batch.first_index + i, batch.texts[i]);
    }
    return Status();
  };
  {
    Progress progress(true);
    THIMBLE_RETURN_IF_ERROR(EmbedTexts(input, embedder, of_lines, progress, take));
  }
  return ranking.Write(receipt, as_json, output);
}

Status SimilarRemote(const BackendFlags& backend_flags, const ModelOption& model, const std::string& query,
                     const SourceOptions& source, const EmbedderFlags& flags, bool prompts, std::size_t top,
                     bool as_json) {
  THIMBLE_ASSIGN_OR_RETURN(const EmbedderOptions options, flags.RemoteOptions());
  THIMBLE_ASSIGN_OR_RETURN(const VectorOptions vectors, flags.Vectors());
  THIMBLE_ASSIGN_OR_RETURN(BackendCall of_query, backend_flags.Call(vectors));
  of_query.normalize = true;  // A dot product is then the cosine.
  BackendCall of_lines = of_query;
  THIMBLE_ASSIGN_OR_RETURN(Backend backend, backend_flags.Open(model, options, vectors));
  if (prompts) {
    THIMBLE_ASSIGN_OR_RETURN(const BackendInfo info, backend.Describe(of_query));
    THIMBLE_ASSIGN_OR_RETURN(const PromptPair pair, FindPrompts(info.prompt_names, info.name));
    of_query.prompt_name = pair.query;
    of_lines.prompt_name = pair.line;
  }
  THIMBLE_ASSIGN_OR_RETURN(Input input, Input::Open(source, kRemoteLimits));
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open("", std::array{input.file(), model.File()}));
  std::vector<Embedding> wanted;
  const std::string_view text = query;
  THIMBLE_RETURN_IF_ERROR(backend.Embed({&text, 1}, of_query, wanted));
  Ranking ranking(wanted.front().vector, top);
  auto take = [&](const Batch& batch, std::span<const Embedding> embeddings) -> Status {
    for (std::size_t i = 0; i < embeddings.size(); ++i) {
      if (embeddings[i].vector.empty()) return Status();  // The call failed.
      ranking.Add(embeddings[i].vector, batch.first_index + i, batch.texts[i]);
    }
    return Status();
  };
  {
    Progress progress(true);
    THIMBLE_RETURN_IF_ERROR(EmbedRemoteTexts(input, backend, of_lines, progress, take));
  }
  return ranking.Write(std::nullopt, as_json, output);
}

}  // namespace

int RunSimilar(int argc, char** argv) {
  ModelOption model;
  SourceOptions source;
  EmbedderFlags flags;
  BackendFlags backend;
  std::string query;
  std::string store;
  bool prompts = false, as_json = false;
  std::size_t top = 10;
  Arguments arguments("similar", "Ranks the lines of a file, or the chunks of a store, by similarity to a text.",
                      kExamples);
  model.AddOptionalTo(arguments.app());
  AddOption(arguments.app(), "query", query, "QUERY", "The text to compare with")->required();
  AddOption(arguments.app(), "file", source.input, "FILE",
            "File with one text per line, or one JSON value per line if it ends in .jsonl; - is standard input");
  AddOption(arguments.app(), "--store", store, "STORE", "Store of thimble sync to search instead of FILE");
  AddOption(arguments.app(), "--field", source.field, "NAME", "Field of a JSON object that contains the text")
      ->capture_default_str();
  AddOption(arguments.app(), "--top", top, "N", "Number of lines to print")
      ->check(CLI::Range(std::size_t{1}, std::size_t{10000}, "1 to 10000"))
      ->capture_default_str();
  arguments.app().add_flag(
      "--prompts", prompts,
      "Put the model's prompts before the texts: query before QUERY, passage or document before lines");
  arguments.app().add_flag("--json", as_json,
                           "Print one JSON object per line: cosine, percentile, index, text; of a store: cosine, "
                           "percentile, file, first_line, last_line, heading, text");
  flags.AddDimensionsTo(arguments.app());
  flags.AddLongTextsTo(arguments.app());
  flags.AddTo(arguments.app());
  flags.AddCacheTo(arguments.app());
  backend.AddTo(arguments);
  if (auto code = arguments.Parse(argc, argv)) return *code;
  if (arguments.app().count("--store") > 0) {
    const Status alone = CheckStoreFlags(arguments.app());
    return Exit("similar", alone.ok() ? SimilarStore(model, query, store, flags, top, as_json) : alone);
  }
  if (source.input.empty()) {
    return Fail("similar", Error(Code::kInvalidArgument, "file is required, or --store STORE (see --help)"));
  }
  const Result<bool> remote = backend.Choose();
  if (!remote.ok()) return Fail("similar", remote.status());
  return Exit("similar", *remote ? SimilarRemote(backend, model, query, source, flags, prompts, top, as_json)
                                 : Similar(model, query, source, flags, prompts, top, as_json));
}

}  // namespace thimble::cli
