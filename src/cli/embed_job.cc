// Decides what is a job, and runs it.

#include "cli/embed_job.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/regular_file.h"
#include "cli/process_plan.h"
#include "cli/progress.h"
#include "thimble/bulk.h"

namespace thimble::cli {
namespace {

// What the process has open under a name of its own.
bool IsOwn(std::string_view path) { return path.starts_with("/dev/") || path.starts_with("/proc/"); }

}  // namespace

void JobFlags::AddTo(CLI::App& app) {
  AddOption(app, "--id-field", id_field, "NAME", "Field or column with the id of a text, in a job");
  app.add_flag("--resume", resume, "Go on with an unfinished job, or begin where there is none");
  app.add_flag("--dedupe", dedupe, "Embed equal texts once, in a job");
}

Status JobFlags::CheckUnused(std::string_view why) const {
  const char* flag = resume ? "--resume" : dedupe ? "--dedupe" : !id_field.empty() ? "--id-field" : nullptr;
  if (flag == nullptr) return Status();
  return Error(Code::kInvalidArgument, flag, ": only for jobs, with -i FILE and -o FILE; found ", why);
}

std::string WhyNoJob(const SourceOptions& source, const std::string& output, const std::string& format) {
  if (source.input.empty() || source.input == "-") return "no -i FILE";
  if (output.empty() || output == "-") return "no -o FILE";
  if (format == "json" || (format.empty() && bulk::HasExtension(output, ".json"))) return "the format json";
  struct stat status = {};
  if (IsOwn(source.input) || (stat(source.input.c_str(), &status) == 0 && !S_ISREG(status.st_mode))) {
    return source.input + ", which is no regular file";
  }
  if (IsOwn(output) || (stat(output.c_str(), &status) == 0 && !S_ISREG(status.st_mode))) {
    return output + ", which is no regular file";
  }
  // Only its bytes can be replaced there.
  const std::string folder = std::filesystem::path(base::ResolveTarget(output)).parent_path().string();
  if (access(output.c_str(), W_OK) == 0 && access(folder.empty() ? "." : folder.c_str(), W_OK) != 0) {
    return output + ", beside which no file can be made";
  }
  return "";
}

Result<bool> EmbedJob(const ModelOption& model_option, const SourceOptions& source, const EmbedderFlags& flags,
                      const JobFlags& job, const JobForm& form) {
  THIMBLE_RETURN_IF_ERROR(source.Check());
  CorpusOptions options;
  options.input = source.input;
  options.text_field = source.field;
  options.id_field = job.id_field;
  options.output = form.output;
  options.format = form.format;
  THIMBLE_ASSIGN_OR_RETURN(options.precision, ParsePrecision(form.precision));
  THIMBLE_ASSIGN_OR_RETURN(options.embedder, flags.Options());
  THIMBLE_ASSIGN_OR_RETURN(options.vectors, flags.Vectors());
  options.resume = job.resume;
  options.dedupe = job.dedupe;
  const std::size_t threads = options.embedder.threads;
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, model_option.Open());
  THIMBLE_RETURN_IF_ERROR(
      base::CheckOutput(form.output, base::IdentityOf(form.output), std::array{model_option.File()}));
  const Result<ProcessPlan> process = PlanThisJob(*model, options.embedder);
  if (!process.ok()) {
    const bool can_do_without = process.status().code() == Code::kOutOfMemory && job.CheckUnused({}).ok();
    if (can_do_without) return false;
    return process.status();
  }
  options.embedder.max_memory = process->max_model;
  options.batch_texts = process->limits.batch_texts;
  options.batch_bytes = process->limits.batch_bytes;
  options.record_bytes = process->limits.json_bytes;
  Progress progress(true);
  THIMBLE_ASSIGN_OR_RETURN(const CorpusReport report,
                           EmbedCorpus(std::move(model), options, [&](const CorpusProgress& state) {
                             const double size = std::max(static_cast<double>(state.input_size), 1.0);
                             progress.Show(static_cast<double>(state.input_bytes) / size, state.texts,
                                           static_cast<double>(state.resumed_bytes) / size, state.resumed_texts);
                             return true;
                           }));
  NoteThreads("embed", report.plan, threads);
  if (!report.remark.empty()) std::fprintf(stderr, "thimble: %s\n", report.remark.c_str());
  return true;
}

}  // namespace thimble::cli
