// thimble list and thimble rm: the models in the cache.

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "json/value.h"
#include "thimble/cache.h"

namespace thimble::cli {
namespace {

constexpr char kListExamples[] =
    "  thimble list\n"
    "  thimble list --json\n"
    "\n"
    "Each line is a model: name, dtype, size, date of the last use as far as the file system records it, and\n"
    "repository.\n"
    "A model from a folder that was opened by its path has that path as its name.\n"
    "The models are in THIMBLE_HOME, or in the folder thimble in XDG_CACHE_HOME or ~/.cache.\n";

constexpr char kRmExamples[] =
    "  thimble rm all-MiniLM-L6-v2 --dtype q4\n"
    "  thimble rm all-MiniLM-L6-v2\n"
    "  thimble rm acme/tiny@v2\n"
    "  thimble rm ./my-model\n"
    "\n"
    "Without --dtype, this removes every dtype of the model and the files of interrupted downloads. For a folder,\n"
    "it removes the models made from the folder, not the folder itself. It prints the files that it removed.\n"
    "Processes that have the model open can continue to use it.\n";

std::string TimeText(std::chrono::system_clock::time_point time, const char* format) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

std::string Padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

Status PrintTable(const std::vector<NamedModel>& models, Output& output) {
  std::size_t name_width = 0, dtype_width = 0;
  for (const NamedModel& model : models) {
    name_width = std::max(name_width, model.name.size() + 2);
    dtype_width = std::max(dtype_width, model.dtype.size() + 2);
  }
  for (const NamedModel& model : models) {
    char size[32];
    std::snprintf(size, sizeof size, "%8.1f MB  ", static_cast<double>(model.bytes) * 1e-6);
    std::string line =
        Padded(model.name, name_width) + Padded(model.dtype, dtype_width) + size + TimeText(model.used, "%Y-%m-%d");
    if (!model.repository.empty()) {
      line += "  " + model.repository;
    } else if (!model.organisation.empty()) {
      line += "  " + model.organisation + "/" + model.name;
    }
    THIMBLE_RETURN_IF_ERROR(output.Write(line + "\n"));
  }
  return Status();
}

Status List(bool as_json) {
  THIMBLE_ASSIGN_OR_RETURN(std::vector<NamedModel> models, ListModels());
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open(""));
  if (as_json) {
    json::Array list;
    for (const NamedModel& model : models) {
      list.push_back(json::Object{
          {"name", model.name},
          {"dtype", model.dtype},
          {"bytes", model.bytes},
          {"path", model.path},
          {"organisation", model.organisation},
          {"repository", model.repository},
          {"revision", model.revision},
          {"used", TimeText(model.used, "%Y-%m-%dT%H:%M:%SZ")},
      });
    }
    const json::Value result = json::Object{{"folder", CacheFolder()}, {"models", std::move(list)}};
    THIMBLE_RETURN_IF_ERROR(output.Write(result.Text() + "\n"));
  } else {
    THIMBLE_RETURN_IF_ERROR(PrintTable(models, output));
  }
  return output.Finish();
}

Status Remove(const std::string& name, const std::string& dtype) {
  THIMBLE_ASSIGN_OR_RETURN(std::vector<NamedModel> models, RemoveModel(name, dtype));
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open(""));
  for (const NamedModel& model : models) THIMBLE_RETURN_IF_ERROR(output.Write(model.path + "\n"));
  return output.Finish();
}

}  // namespace

int RunList(int argc, char** argv) {
  bool as_json = false;
  Arguments arguments("list", "Lists the models in the cache.", kListExamples);
  arguments.app().add_flag("--json", as_json, "Print one JSON object");
  if (auto code = arguments.Parse(argc, argv)) return *code;
  return Exit("list", List(as_json));
}

int RunRm(int argc, char** argv) {
  std::string name, dtype;
  Arguments arguments("rm", "Removes a model from the cache.", kRmExamples);
  AddOption(arguments.app(), "name", name, "NAME", "Name, or the path of a folder that was opened by its path")
      ->required();
  AddOption(arguments.app(), "--dtype", dtype, "NAME", "Dtype to remove; all if not given");
  if (auto code = arguments.Parse(argc, argv)) return *code;
  return Exit("rm", Remove(name, dtype));
}

}  // namespace thimble::cli
