// thimble diff: whether an index of one model's vectors can be kept for another model.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/embed_texts.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process_plan.h"
#include "cli/progress.h"
#include "json/value.h"
#include "sync/spaces.h"
#include "thimble/memory.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble diff all-MiniLM-L6-v2 all-MiniLM-L6-v2 --dtype q8 --dtype-b q4 texts.txt\n"
    "  thimble diff old.safetensors new.safetensors texts.jsonl --field body\n"
    "  thimble diff old.safetensors new.safetensors texts.txt --json\n"
    "\n"
    "Embeds the texts with both models and compares the two vector spaces: the cosine of the two vectors of a text,\n"
    "how many of its 10 nearest neighbours are the same, by how many ranks they fall, and what an index of MODEL_A\n"
    "would find for queries of MODEL_B. The verdict is exact for equal fingerprints, and else for these texts alone.\n"
    "Of more than 20,000 texts, 20,000 are drawn, and of more than 1,000 of these, 1,000 are the queries; always the\n"
    "same ones.\n";

// From this share on of neighbours that an index keeps, a search hardly changes.
constexpr double kNearlyAll = 0.9;
// Where chance finds more, that share says little.
constexpr double kMostChance = 0.1;

// What comparing takes for a query beside its two vectors, and for a text.
constexpr std::size_t kQueryBytes = 2048, kTextBytes = 3 * sizeof(double), kBlockRows = 128;

struct Side {
  std::shared_ptr<const Model> model;
  ProcessPlan process;
  std::optional<Embedder> embedder;
  std::optional<sync::VectorFile> vectors;
};

Status Open(const std::string& name, const std::string& dtype, Side& side) {
  ModelOption model;
  model.Set(name, dtype);
  THIMBLE_ASSIGN_OR_RETURN(side.model, model.Open());
  THIMBLE_ASSIGN_OR_RETURN(side.vectors, sync::VectorFile::Create(side.model->dimensions()));
  return Status();
}

Result<std::uint64_t> CountTexts(const SourceOptions& source, const InputLimits& limits) {
  THIMBLE_ASSIGN_OR_RETURN(Input input, Input::Open(source, limits));
  std::uint64_t count = 0;
  for (Batch batch;;) {
    THIMBLE_RETURN_IF_ERROR(input.Next(batch));
    if (batch.texts.empty()) return count;
    count += batch.texts.size();
  }
}

// kOutOfMemory if comparing so many texts takes more than the limit of the process, which takes `own` without
// embedders.
Status CheckMemory(std::uint64_t count, const std::array<Side, 2>& sides, std::size_t own, std::size_t limit) {
  if (limit == 0) return Status();
  const std::size_t texts = std::min<std::uint64_t>(count, sync::kMaxTexts),
                    queries = std::min(texts, sync::kMaxQueries);
  const std::size_t dimensions = sides[0].model->dimensions() + sides[1].model->dimensions();
  const std::size_t needed =
      own + texts * kTextBytes + queries * kQueryBytes + (queries + kBlockRows) * dimensions * sizeof(float);
  if (needed <= limit) return Status();
  return Error(Code::kOutOfMemory, "comparing ", texts, " texts needs ", needed, " bytes, but only ", limit,
               " are allowed; raise --max-memory, or give fewer texts");
}

Status EmbedTexts(const SourceOptions& source, std::uint64_t count, Side& side) {
  THIMBLE_ASSIGN_OR_RETURN(Input input, Input::Open(source, side.process.limits));
  sync::Sample sample(count, sync::kMaxTexts);
  Progress progress(true);
  VectorOptions wanted;
  wanted.normalize = true;  // A dot product is then the cosine.
  for (Batch batch;;) {
    THIMBLE_RETURN_IF_ERROR(input.Next(batch));
    if (batch.texts.empty()) break;
    std::vector<std::string_view> texts;
    for (const std::string& text : batch.texts) {
      if (sample.Next()) texts.push_back(text);
    }
    if (!texts.empty()) {
      std::vector<float> vectors(texts.size() * side.model->dimensions());
      wanted.first_index = batch.first_index;
      THIMBLE_RETURN_IF_ERROR(side.embedder->EmbedBatch(texts, vectors, {}, wanted));
      THIMBLE_RETURN_IF_ERROR(side.vectors->Append(vectors));
    }
    ShowProgress(input, batch, progress);
  }
  side.embedder.reset();  // Before the other one's memory is touched.
  if (side.vectors->size() == std::min<std::uint64_t>(count, sync::kMaxTexts)) return Status();
  return Error(Code::kIo, source.input, ": expected the same ", count, " texts each time it is read; it has changed");
}

enum class Verdict { kSame, kNearly, kNo, kUnknown };

// Share of the nearest texts that an index of any model finds by chance.
double Chance(const sync::Comparison& comparison) {
  return static_cast<double>(comparison.neighbours) / static_cast<double>(comparison.texts - 1);
}

Verdict Judge(const ModelInfo& a, const ModelInfo& b, const sync::Comparison& comparison) {
  if (!a.fingerprint.empty() && a.fingerprint == b.fingerprint) return Verdict::kSame;
  if (comparison.kept_overlap.value_or(0) < kNearlyAll) return Verdict::kNo;
  return Chance(comparison) <= kMostChance ? Verdict::kNearly : Verdict::kUnknown;
}

std::string_view VerdictName(Verdict verdict) {
  constexpr std::string_view kNames[] = {"same", "nearly", "no", "unknown"};
  return kNames[static_cast<std::size_t>(verdict)];
}

std::string Decimal(double value, const char* format) {
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string Explain(Verdict verdict, const sync::Comparison& comparison) {
  if (verdict == Verdict::kSame) {
    return "Keep the index: the fingerprints are equal, so both models give the same vectors, bit for bit.";
  }
  if (!comparison.kept_overlap) {
    return "Embed the corpus anew: vectors of different lengths cannot be compared.";
  }
  if (verdict == Verdict::kUnknown) {
    return "Too few texts to tell: chance alone finds " + Decimal(Chance(comparison) * 100, "%.0f") + " % of the " +
           std::to_string(comparison.neighbours) + " nearest of " + std::to_string(comparison.texts) +
           " texts; compare more than 100.";
  }
  const std::string found = Decimal(*comparison.kept_overlap * static_cast<double>(comparison.neighbours), "%.1f") +
                            " of the " + std::to_string(comparison.neighbours) + " nearest texts";
  if (verdict == Verdict::kNearly) {
    return "The index can be kept if small changes do no harm: with queries of MODEL_B it finds " + found +
           " that it found before. Texts that are added later should come from one model.";
  }
  return "Embed the corpus anew: with queries of MODEL_B the index would find only " + found + " that it found before.";
}

json::Object Describe(const ModelInfo& info) {
  return {
      {"name", info.name}, {"dtype", info.dtype}, {"dimensions", info.dimensions}, {"fingerprint", info.fingerprint}};
}

json::Object ValuesOf(std::uint64_t count, const std::array<Side, 2>& sides, const sync::Comparison& comparison,
                      Verdict verdict) {
  json::Object values = {{"a", Describe(sides[0].model->info())}, {"b", Describe(sides[1].model->info())}};
  values["texts"] = count;
  values["texts_compared"] = comparison.texts;
  values["queries"] = comparison.queries;
  values["neighbours"] = comparison.neighbours;
  if (const auto& cosine = comparison.cosine) {
    values["cosine"] = json::Object{
        {"mean", cosine->mean}, {"p50", cosine->p50}, {"p5", cosine->p5}, {"p1", cosine->p1}, {"min", cosine->least}};
  } else {
    values["cosine"] = nullptr;
  }
  values["overlap"] = comparison.overlap;
  values["rank_loss"] = json::Object{{"mean", comparison.rank_loss}, {"p95", comparison.rank_loss_p95}};
  values["kept_overlap"] = comparison.kept_overlap ? json::Value(*comparison.kept_overlap) : json::Value();
  values["verdict"] = VerdictName(verdict);
  values["explanation"] = Explain(verdict, comparison);
  return values;
}

std::string Summary(std::uint64_t count, const std::array<Side, 2>& sides, const sync::Comparison& comparison,
                    Verdict verdict) {
  const auto model = [](const ModelInfo& info) {
    return info.name + ", " + info.dtype + ", " + std::to_string(info.dimensions) + " dimensions, fingerprint " +
           (info.fingerprint.empty() ? "unknown" : info.fingerprint) + "\n";
  };
  const std::string k = std::to_string(comparison.neighbours);
  std::string text =
      "A              " + model(sides[0].model->info()) + "B              " + model(sides[1].model->info());
  text += "texts          " + std::to_string(comparison.texts);
  if (comparison.texts < count) text += " drawn of " + std::to_string(count);
  text += ", " + std::to_string(comparison.queries) + " of them as queries\n";
  if (const auto& cosine = comparison.cosine) {
    text += "cosine         mean " + Decimal(cosine->mean, "%.5f") + ", median " + Decimal(cosine->p50, "%.5f") +
            ", 5th percentile " + Decimal(cosine->p5, "%.5f") + ", 1st " + Decimal(cosine->p1, "%.5f") + ", least " +
            Decimal(cosine->least, "%.5f") + "\n";
  } else {
    text += "cosine         n/a: the vectors have different lengths\n";
  }
  text += "neighbours     " + Decimal(comparison.overlap * 100, "%.2f") + " % of the " + k + " nearest are the same\n";
  text += "rank loss      " + Decimal(comparison.rank_loss, "%.2f") + " ranks on average, 95 % at most " +
          Decimal(comparison.rank_loss_p95, "%.0f") + "\n";
  text += "index of A     " + (comparison.kept_overlap ? Decimal(*comparison.kept_overlap * 100, "%.2f") +
                                                             " % of the " + k + " nearest are found by queries of B\n"
                                                       : std::string("n/a: the vectors have different lengths\n"));
  return text + "\n" + Explain(verdict, comparison) + "\n";
}

Status Diff(const std::array<std::string, 2>& names, const std::array<std::string, 2>& dtypes,
            const SourceOptions& source, const EmbedderFlags& flags, bool as_json) {
  // A pipe has its texts once, and a folder none: Input says so.
  std::error_code error;
  const auto type = std::filesystem::status(source.input, error).type();
  if (source.input == "-" || type == std::filesystem::file_type::fifo || type == std::filesystem::file_type::socket) {
    return Error(Code::kInvalidArgument, source.input == "-" ? "standard input" : source.input,
                 ": diff reads the texts several times, so that it needs a file, not a pipe");
  }
  THIMBLE_ASSIGN_OR_RETURN(const EmbedderOptions options, flags.Options());
  std::array<Side, 2> sides;
  for (std::size_t i = 0; i < 2; ++i) THIMBLE_RETURN_IF_ERROR(Open(names[i], dtypes[i], sides[i]));
  for (Side& side : sides) {
    THIMBLE_ASSIGN_OR_RETURN(side.process, PlanThisProcess(*side.model, options));
  }
  std::size_t own = 0;
  if (options.max_memory != 0) {
    THIMBLE_ASSIGN_OR_RETURN(const ProcessMemory now, MeasureMemory());
    // The heap may keep what reading texts takes.
    own = std::max(now.private_bytes, now.data_bytes) + sides[0].process.limits.batch_bytes;
  }
  // Before texts are read: rerankers are refused.
  for (Side& side : sides) {
    EmbedderOptions of_side = options;
    of_side.max_memory = side.process.max_model;
    THIMBLE_ASSIGN_OR_RETURN(Embedder embedder, Embedder::Create(side.model, of_side));
    NoteThreads("diff", embedder.plan(), options.threads);
    side.embedder.emplace(std::move(embedder));
  }
  THIMBLE_ASSIGN_OR_RETURN(const std::uint64_t count, CountTexts(source, sides[0].process.limits));
  if (count < 2) {
    return Error(Code::kInvalidArgument, source.input, ": expected at least 2 texts, found ", count);
  }
  THIMBLE_RETURN_IF_ERROR(CheckMemory(count, sides, own, options.max_memory));
  for (Side& side : sides) THIMBLE_RETURN_IF_ERROR(EmbedTexts(source, count, side));
  THIMBLE_ASSIGN_OR_RETURN(const sync::Comparison comparison, sync::Compare(*sides[0].vectors, *sides[1].vectors));
  const Verdict verdict = Judge(sides[0].model->info(), sides[1].model->info(), comparison);
  if (as_json) return PrintValues(ValuesOf(count, sides, comparison, verdict), true);
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open(""));
  THIMBLE_RETURN_IF_ERROR(output.Write(Summary(count, sides, comparison, verdict)));
  return output.Finish();
}

}  // namespace

int RunDiff(int argc, char** argv) {
  std::array<std::string, 2> names, dtypes;
  SourceOptions source;
  EmbedderFlags flags;
  bool as_json = false;
  Arguments arguments("diff", "Tells whether an index of the vectors of MODEL_A can be kept for MODEL_B.", kExamples);
  CLI::App& app = arguments.app();
  AddOption(app, "model_a", names[0], "MODEL_A", "The model of the index: a name, a folder or a file")->required();
  AddOption(app, "model_b", names[1], "MODEL_B", "The model of new queries and texts")->required();
  AddOption(app, "texts", source.input, "TEXTS",
            "File with one text per line, or one JSON value per line if it ends in .jsonl")
      ->required();
  AddOption(app, "--field", source.field, "NAME", "Field of a JSON object that contains the text")
      ->capture_default_str();
  AddOption(app, "--dtype", dtypes[0], "NAME", kDtypeHelp);
  AddOption(app, "--dtype-b", dtypes[1], "NAME", "The same of MODEL_B, if it is another");
  app.add_flag("--json", as_json, "Print one JSON object");
  flags.AddTo(app);
  if (auto code = arguments.Parse(argc, argv)) return *code;
  std::error_code error;
  if (dtypes[1].empty() && !std::filesystem::is_regular_file(names[1], error)) dtypes[1] = dtypes[0];
  return Exit("diff", Diff(names, dtypes, source, flags, as_json));
}

}  // namespace thimble::cli
