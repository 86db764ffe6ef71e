// thimble sync: a store of the vectors of a folder.

#include "sync/sync.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process_plan.h"
#include "cli/progress.h"
#include "cli/prompts.h"
#include "cli/similar_store.h"
#include "json/value.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble sync -m model.safetensors docs docs.store\n"
    "  thimble sync docs docs.store\n"
    "  thimble sync -m e5-small-v2.safetensors --prompts docs docs.store\n"
    "  thimble sync -m model.safetensors --dry-run --exclude vendor docs docs.store\n"
    "  thimble similar --store docs.store \"how do I reset my password\"\n"
    "\n"
    "Reads .txt, .text, .md, .markdown and .rst files, in UTF-8, of FOLDER and the folders in it, but none whose "
    "names\n"
    "begin with a dot. Divides them into chunks by heading and sentence, embeds those that STORE, an SQLite file, "
    "does\n"
    "not have yet, and removes those that went. An edit embeds the chunks around it, and a renamed file none.\n"
    "Without -m, model, prompts, dimensions and tokens of a chunk are those of STORE.\n"
    "When it is interrupted, the next run continues. Files that cannot be read are listed, and the exit code is then "
    "1.\n";

// Most tokens of a chunk where --max-tokens says nothing: a few paragraphs, as search wants them.
constexpr std::size_t kChunkTokens = 256;

json::Object ValuesOf(const sync::SyncReport& report) {
  json::Object values = {
      {"files_added", report.files.added},         {"files_changed", report.files.changed},
      {"files_unchanged", report.files.unchanged}, {"files_removed", report.files.removed},
      {"files_skipped", report.skipped.size()},    {"other_files", report.other_files},
      {"chunks_added", report.chunks_added},       {"chunks_unchanged", report.chunks_unchanged},
      {"chunks_removed", report.chunks_removed},   {"texts_embedded", report.texts_embedded},
      {"texts_truncated", report.texts_truncated},
  };
  return values;
}

Status PrintReport(const sync::SyncReport& report, bool dry_run, bool as_json) {
  for (const sync::Skipped& skipped : report.skipped) {
    Note("sync", "skipped " + OneLine(skipped.path) + ": " + OneLine(skipped.reason));
  }
  if (as_json) {
    json::Object values = ValuesOf(report);
    values["dry_run"] = dry_run;
    return PrintValues(values, true);
  }
  const auto text = [](std::size_t number) { return std::to_string(number); };
  std::string lines = "files: " + text(report.files.added) + " new, " + text(report.files.changed) + " changed, " +
                      text(report.files.unchanged) + " unchanged, " + text(report.files.removed) + " removed";
  if (!report.skipped.empty()) lines += ", " + text(report.skipped.size()) + " skipped";
  if (report.other_files > 0) lines += "; " + text(report.other_files) + " of other types";
  lines += "\nchunks: " + text(report.chunks_added) + " new, " + text(report.chunks_unchanged) + " unchanged, " +
           text(report.chunks_removed) + " removed\ntexts " + (dry_run ? "to embed: " : "embedded: ") +
           text(report.texts_embedded);
  if (!dry_run) lines += ", truncated: " + text(report.texts_truncated);
  lines += dry_run ? "\nnothing was written (--dry-run)\n" : "\n";
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open(""));
  THIMBLE_RETURN_IF_ERROR(output.Write(lines));
  return output.Finish();
}

// A path that also works from other folders; a name as it is.
std::string ModelName(const std::string& name) {
  std::error_code error;
  if (!std::filesystem::exists(name, error)) return name;
  const std::filesystem::path path = std::filesystem::absolute(name, error);
  return error ? name : path.lexically_normal().string();
}

// What the store was made with.
Result<sync::StoreSpace> FindSpace(const sync::SyncOptions& options) {
  sync::Store store;
  const Status status = store.OpenToRead(options.store);
  if (status.ok()) return store.space();
  const bool none = status.code() == Code::kNotFound;
  return Error(status.code(), none ? options.store + ": there is no store" : status.message(),
               none || options.rebuild ? "; -m MODEL says which model a new one has" : "");
}

Status RunSyncOf(ModelOption& model_option, const EmbedderFlags& flags, bool prompts, bool as_json,
                 sync::SyncOptions& options) {
  THIMBLE_ASSIGN_OR_RETURN(EmbedderOptions embedder_options, flags.Options());
  THIMBLE_ASSIGN_OR_RETURN(options.vectors, flags.Vectors());
  options.vectors.normalize = true;  // A dot product is then the cosine.
  sync::StoreSpace stored;
  const bool as_stored = !model_option.given();
  if (as_stored) {
    THIMBLE_ASSIGN_OR_RETURN(stored, FindSpace(options));
  }
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, OpenModelOf(options.store, stored, model_option));
  if (as_stored) {
    prompts |= stored.prompts != 0;
    if (!options.vectors.dimensions && stored.dimensions < model->dimensions()) {
      options.vectors.dimensions = stored.dimensions;
    }
    if (embedder_options.max_tokens == 0) embedder_options.max_tokens = stored.chunk_tokens;
  }
  if (prompts) {
    THIMBLE_ASSIGN_OR_RETURN(const PromptPair pair, FindPrompts(model->info()));
    options.vectors.prompt_name = pair.line;
  }
  if (embedder_options.max_tokens == 0) {
    THIMBLE_ASSIGN_OR_RETURN(const Plan plan, Embedder::MakePlan(*model, embedder_options));
    embedder_options.max_tokens = std::min(plan.max_tokens, kChunkTokens);
  }
  THIMBLE_ASSIGN_OR_RETURN(const ProcessPlan process, PlanThisProcess(*model, embedder_options));
  embedder_options.max_memory = process.max_model;
  THIMBLE_ASSIGN_OR_RETURN(Embedder embedder, Embedder::Create(model, embedder_options));
  NoteThreads("sync", embedder.plan(), embedder_options.threads);
  THIMBLE_ASSIGN_OR_RETURN(sync::StoreSpace space, sync::SpaceOf(*model, embedder, options.vectors));
  THIMBLE_ASSIGN_OR_RETURN(const std::string name, model_option.FullName());
  space.model = ModelName(name);
  space.dtype = model->info().dtype;
  options.waiting = [] { Note("sync", "waiting for another sync of this store"); };
  sync::SyncReport report;
  {
    Progress progress(true);
    options.progress = [&](std::size_t done, std::size_t all) {
      progress.Show(static_cast<double>(done) / static_cast<double>(all), 0);
    };
    THIMBLE_ASSIGN_OR_RETURN(report, sync::Sync(*model, embedder, space, options));
  }
  THIMBLE_RETURN_IF_ERROR(PrintReport(report, options.dry_run, as_json));
  std::size_t unreadable = 0;
  for (const sync::Skipped& skipped : report.skipped) unreadable += skipped.unreadable;
  if (unreadable == 0) return Status();
  return Error(Code::kIo, unreadable,
               " of the files or folders could not be read; the store keeps what it had of them");
}

}  // namespace

int RunSync(int argc, char** argv) {
  ModelOption model;
  EmbedderFlags flags;
  sync::SyncOptions options;
  bool prompts = false, as_json = false;
  Arguments arguments("sync", "Keeps the vectors of a folder of documents up to date.", kExamples);
  model.AddOptionalTo(arguments.app());
  AddOption(arguments.app(), "folder", options.folder, "FOLDER", "Folder of documents")->required();
  AddOption(arguments.app(), "store", options.store, "STORE", "SQLite file with chunks and vectors, made if missing")
      ->required();
  AddOption(arguments.app(), "--exclude", options.exclude, "PATTERN",
            "Files and folders to leave out, such as vendor or \"draft*\", with a / of the whole path; may be repeated")
      ->take_all();
  arguments.app().add_flag("--dry-run", options.dry_run, "Print what would be done, and write nothing");
  arguments.app().add_flag("--rebuild", options.rebuild, "Begin with an empty store, for another model or option");
  arguments.app().add_flag("--prompts", prompts,
                           "Put the model's prompts before the texts: passage or document before chunks, and query "
                           "before what similar --store compares with them");
  arguments.app().add_flag("--json", as_json, "Print one JSON object with the counts");
  flags.AddDimensionsTo(arguments.app());
  flags.AddTo(arguments.app());
  if (auto code = arguments.Parse(argc, argv)) return *code;
  return Exit("sync", RunSyncOf(model, flags, prompts, as_json, options));
}

}  // namespace thimble::cli
