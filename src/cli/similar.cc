// thimble similar: the lines of a file, most alike first.

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/embed_texts.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process_plan.h"
#include "cli/progress.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble similar -m model.safetensors \"how do I reset my password\" questions.txt\n"
    "  thimble similar -m model.safetensors --top 3 --field title \"rivers of Asia\" articles.jsonl\n"
    "  thimble similar -m e5-small-v2.safetensors --prompts \"how tall is a giraffe\" passages.txt\n"
    "\n"
    "Each result is one line: the cosine similarity, a tab, and the text, with control characters as spaces.\n";

struct Match {
  double cosine;
  std::uint64_t index;
  std::string text;
};
// Whether `a` ranks before `b`; equals rank as in the file.
bool Before(const Match& a, const Match& b) { return a.cosine != b.cosine ? a.cosine > b.cosine : a.index < b.index; }

std::string OneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return text;
}

// The first of `names` that the model has a prompt of, or none.
std::string PromptOf(const ModelInfo& info, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) {
    for (const Prompt& prompt : info.prompts) {
      if (prompt.name == name) return prompt.name;
    }
  }
  return {};
}

Status Similar(const ModelOption& model_option, const std::string& query, const SourceOptions& source,
               const EmbedderFlags& flags, bool prompts, std::size_t top) {
  THIMBLE_ASSIGN_OR_RETURN(EmbedderOptions options, flags.Options());
  THIMBLE_ASSIGN_OR_RETURN(VectorOptions of_query, flags.Vectors());
  of_query.normalize = true;  // A dot product is then the cosine.
  VectorOptions of_lines = of_query;
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, model_option.Open());
  if (prompts) {
    const std::string query_prompt = PromptOf(model->info(), {"query"});
    const std::string line_prompt = PromptOf(model->info(), {"passage", "document"});
    of_query.prompt_name = query_prompt;
    of_lines.prompt_name = line_prompt;
    if (query_prompt.empty() && line_prompt.empty()) {
      return Error(Code::kInvalidArgument, "--prompts: ", model->info().name,
                   " has no prompt named query, passage or document");
    }
  }
  THIMBLE_ASSIGN_OR_RETURN(ProcessPlan process, PlanThisProcess(*model, options));
  options.max_memory = process.max_model;
  THIMBLE_ASSIGN_OR_RETURN(Embedder embedder, Embedder::Create(std::move(model), options));
  THIMBLE_ASSIGN_OR_RETURN(Input input, Input::Open(source, process.limits));
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open(""));

  const std::size_t dimensions = embedder.dimensions();
  std::vector<float> wanted(dimensions);
  auto report = embedder.Embed(query, wanted, of_query);
  if (!report.ok()) return report.status();

  std::vector<Match> best;  // A heap whose front ranks last.
  auto take = [&](const Batch& batch, std::span<const float> vectors, std::span<const Report>) -> Status {
    for (std::size_t i = 0; i < batch.texts.size(); ++i) {
      const float* vector = vectors.data() + i * dimensions;
      Match match{std::inner_product(wanted.begin(), wanted.end(), vector, 0.0), batch.first_index + i, {}};
      if (best.size() == top) {
        if (!Before(match, best.front())) continue;
        std::pop_heap(best.begin(), best.end(), Before);
        best.pop_back();
      }
      match.text = batch.texts[i];
      best.push_back(std::move(match));
      std::push_heap(best.begin(), best.end(), Before);
    }
    return Status();
  };
  {
    Progress progress(true);
    THIMBLE_RETURN_IF_ERROR(EmbedTexts(input, embedder, of_lines, progress, take));
  }
  std::sort_heap(best.begin(), best.end(), Before);
  for (Match& match : best) {
    char number[32];
    std::snprintf(number, sizeof number, "%.4f\t", match.cosine);
    THIMBLE_RETURN_IF_ERROR(output.Write(number + OneLine(std::move(match.text)) + "\n"));
  }
  return output.Finish();
}

}  // namespace

int RunSimilar(int argc, char** argv) {
  ModelOption model;
  SourceOptions source;
  EmbedderFlags flags;
  std::string query;
  bool prompts = false;
  std::size_t top = 10;
  Arguments arguments("similar", "Ranks the lines of a file by their likeness to a text.", kExamples);
  model.AddTo(arguments.app());
  arguments.app().add_option("query", query, "The text to compare with")->type_name("QUERY")->required();
  arguments.app()
      .add_option("file", source.input,
                  "File of texts, one a line, or of JSON values where it ends in .jsonl; - is standard input")
      ->type_name("FILE")
      ->required();
  arguments.app()
      .add_option("--field", source.field, "Field of a JSON object that holds its text")
      ->type_name("NAME")
      ->capture_default_str();
  arguments.app()
      .add_option("--top", top, "How many lines to print")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{10000}, "1 to 10000"))
      ->capture_default_str();
  arguments.app().add_flag(
      "--prompts", prompts,
      "Put the model's prompts before the texts: query before QUERY, passage or document before lines");
  flags.AddLongTextsTo(arguments.app());
  flags.AddTo(arguments.app());
  if (auto code = arguments.Parse(argc, argv)) return *code;
  Status status = Similar(model, query, source, flags, prompts, top);
  return status.ok() ? kDone : Fail("similar", status);
}

}  // namespace thimble::cli
