// thimble pull: a model from the hub, or from a folder, into the cache.

#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/info_values.h"
#include "cli/known_models.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "thimble/hub.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble pull all-MiniLM-L6-v2\n"
    "  thimble pull Xenova/all-MiniLM-L6-v2 --dtype q4\n"
    "  thimble pull BAAI/bge-small-en-v1.5 --revision refs/pr/1 --json\n"
    "  thimble pull ./my-model --name acme/my-model\n"
    "  thimble pull --list\n"
    "  thimble pull --list e5 --json\n"
    "\n"
    "Downloads a model, converts it and prints the path of its file. If the file exists, its hash is checked and\n"
    "nothing else is done. If the cache of huggingface_hub or transformers.js has the model, that copy is converted\n"
    "instead. A folder is converted in place.\n"
    "The model then opens by its name: acme/tiny, acme/tiny@v2 for a revision, or tiny if the name is unambiguous.\n"
    "An interrupted download resumes where it stopped.\n"
    "Environment: THIMBLE_HOME is the folder of models. HF_TOKEN, or the token of hf auth login, is sent to the\n"
    "hub.\n"
    "HF_ENDPOINT is the address of another hub. HF_HUB_CACHE and HF_HOME locate the cache of huggingface_hub.\n"
    "HF_HUB_OFFLINE=1 and TRANSFORMERS_OFFLINE=1 forbid the network. HF_HUB_DOWNLOAD_TIMEOUT is the number of\n"
    "seconds without data after which a connection counts as broken.\n";

Status Print(const PulledModel& pulled, bool as_json) {
  const NamedModel& model = pulled.model;
  if (as_json) {
    json::Object values = NamedModelValues(model);
    values["downloaded"] = pulled.downloaded;
    return PrintValues(values, true);
  }
  auto output = Output::Open("");
  if (!output.ok()) return output.status();
  Status status = output->Write(model.path + "\n");
  return status.ok() ? output->Finish() : status;
}

void Show(const PullProgress& state, Progress& progress) {
  switch (state.stage) {
    case PullProgress::Stage::kWaiting:
      return;
    case PullProgress::Stage::kDownloading:
      return progress.ShowBytes(state.bytes, state.total_bytes);
    case PullProgress::Stage::kConverting:
      return progress.Show(state.share, 0);
  }
}

}  // namespace

int RunPull(int argc, char** argv) {
  std::string model;
  PullOptions options;
  bool as_json = false, list = false;
  Arguments arguments("pull", "Downloads a model and converts it.", kExamples);
  CLI::App& app = arguments.app();
  AddOption(app, "model", model, "MODEL",
            "ORGANISATION/NAME[@REVISION] on the hub, a known NAME, or a folder such as ./my-model");
  AddOption(app, "--dtype", options.dtype, "NAME", "Format of the weights, as in thimble convert")
      ->capture_default_str();
  AddOption(app, "--revision", options.revision, "NAME", "Branch, tag or commit; main if not given");
  AddOption(app, "--name", options.name, "NAME", "Name to give to the model, [ORGANISATION/]NAME");
  std::string pooling;
  bool normalize = false;
  AddOption(app, "--pooling", pooling, "NAME",
            "Pooling of a model that does not state it: mean, cls, last, max, mean_sqrt_len_tokens or weightedmean");
  CLI::Option* normalize_option =
      app.add_flag("--normalize,!--no-normalize", normalize, "Likewise: scale vectors to unit length or not");
  app.add_flag("--force", options.force, "Download and convert the model even if it exists");
  app.add_flag("--json", as_json, "Print one JSON object");
  CLI::Option* list_option =
      app.add_flag("--list", list, "Pull nothing; print the known models, or those whose repository contains MODEL");
  for (const char* name : {"--dtype", "--revision", "--name", "--pooling", "--normalize", "--force"}) {
    list_option->excludes(app.get_option(name));
  }
  if (auto code = arguments.Parse(argc, argv)) return *code;
  if (list) return Exit("pull", PrintKnownModels(model, as_json));
  if (model.empty()) return Fail("pull", Error(Code::kInvalidArgument, "MODEL is required"));
  if (!pooling.empty()) {
    auto parsed = ParsePooling(pooling);
    if (!parsed.ok()) return Fail("pull", parsed.status());
    options.pooling = *parsed;
  }
  if (normalize_option->count() > 0) options.normalize = normalize;
  options.note = [](std::string_view note) { Note("pull", note); };
  Result<PulledModel> pulled = [&] {
    Progress progress(true);
    options.progress = [&](const PullProgress& state) {
      Show(state, progress);
      return true;
    };
    return PullModel(model, options);
  }();
  return Exit("pull", pulled.ok() ? Print(*pulled, as_json) : pulled.status());
}

}  // namespace thimble::cli
