// Models on this machine and what is known of others; the memory of processes; codes.

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/guard.h"
#include "c/job.h"
#include "c/values.h"
#include "cli/info_values.h"
#include "json/value.h"
#include "thimble/hub.h"
#include "thimble/known_models.h"
#include "thimble/memory.h"
#include "thimble/receipt.h"

namespace thimble::c {
namespace {

// Puts the JSON that make() gives, or its error, into `text`.
template <typename Make>
thimble_code GiveJson(thimble_text* text, Make&& make) {
  std::string found;
  const Status status = base::Guarded([&]() -> Status {
    THIMBLE_ASSIGN_OR_RETURN(const json::Value value, make());
    found = value.Text();
    return Status();
  });
  return Give(status, text, found);
}

json::Value FromModels(const std::vector<NamedModel>& models) {
  json::Array array;
  for (const NamedModel& model : models) {
    json::Object object = cli::NamedModelValues(model);
    object["used"] = std::chrono::duration<double>(model.used.time_since_epoch()).count();
    array.push_back(std::move(object));
  }
  return array;
}

std::int32_t StageOf(PullProgress::Stage stage) {
  switch (stage) {
    case PullProgress::Stage::kWaiting:
      return 1;
    case PullProgress::Stage::kDownloading:
      return 2;
    case PullProgress::Stage::kConverting:
      return 3;
  }
  return 0;
}

Result<PullOptions> ToPullOptions(const thimble_pull_options* given) {
  thimble_pull_options from;
  THIMBLE_RETURN_IF_ERROR(ReadOptions(given, from));
  PullOptions options;
  options.dtype = ToDtype(from.dtype);
  options.revision = ToString(from.revision);
  options.folder = ToString(from.folder);
  options.name = ToString(from.name);
  THIMBLE_RETURN_IF_ERROR(ReadName(from.pooling, ParsePooling, options.pooling));
  THIMBLE_ASSIGN_OR_RETURN(options.normalize, ToChoice(from.normalize, "normalize"));
  options.force = from.force != 0;
  options.local_files_only = from.local_files_only != 0;
  options.unstated_pooling = from.unstated_pooling != 0;
  return options;
}

Status Pull(const std::string& model, PullOptions options, Task& task, Found& found) {
  json::Array notes;
  options.note = [&](std::string_view note) { notes.push_back(note); };
  options.progress = [&](const PullProgress& progress) {
    task.SetProgress({.stage = StageOf(progress.stage),
                      .bytes = progress.bytes,
                      .total_bytes = progress.total_bytes,
                      .share = progress.share});
    return !task.cancelled();
  };
  THIMBLE_ASSIGN_OR_RETURN(const PulledModel pulled, PullModel(model, options));
  json::Object object = cli::NamedModelValues(pulled.model);
  object["downloaded"] = pulled.downloaded;
  object["notes"] = std::move(notes);
  found.text = json::Value(std::move(object)).Text();
  return Status();
}

Status VerifyModel(const std::string& name, const std::string& dtype, const std::string& folder, Found& found) {
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, OpenModel(name, dtype, folder));
  THIMBLE_ASSIGN_OR_RETURN(const Verification verification, Verify(std::move(model)));
  json::Array differences;
  for (const Verification::Difference& difference : verification.differences) {
    json::Object object = {{"text", difference.text}, {"largest", nullptr}};
    if (difference.largest == difference.largest) object["largest"] = difference.largest;
    differences.push_back(std::move(object));
  }
  found.text = json::Value(json::Object{
                               {"ok", verification.ok()},
                               {"goldens", verification.goldens},
                               {"weights_match", verification.weights_match},
                               {"differences", std::move(differences)},
                           })
                   .Text();
  return Status();
}

Status NoModel() { return Status(Code::kInvalidArgument, "model: expected a name or a path, found NULL"); }

}  // namespace
}  // namespace thimble::c

using namespace thimble::c;
using thimble::Status;
using thimble::json::Value;

thimble_job* thimble_pull(const char* model, const thimble_pull_options* options) {
  if (model == nullptr) return FailedJob(NoModel());
  return With(ToPullOptions(options), [&](const thimble::PullOptions& wanted) {
    return StartLoneJob(
        [name = std::string(model), wanted](Task& task, Found& found) { return Pull(name, wanted, task, found); });
  });
}

thimble_job* thimble_verify(const char* model, const char* dtype, const char* folder) {
  if (model == nullptr) return FailedJob(NoModel());
  return StartLoneJob([name = std::string(model), type = ToString(dtype), place = ToString(folder)](
                          Task&, Found& found) { return VerifyModel(name, type, place, found); });
}

thimble_code thimble_models(const char* folder, thimble_text* text) {
  return GiveJson(text, [&]() -> thimble::Result<Value> {
    THIMBLE_ASSIGN_OR_RETURN(const auto models, thimble::ListModels(ToString(folder)));
    return FromModels(models);
  });
}

thimble_code thimble_remove(const char* model, const char* dtype, const char* folder, thimble_text* text) {
  return GiveJson(text, [&]() -> thimble::Result<Value> {
    if (model == nullptr) return NoModel();
    THIMBLE_ASSIGN_OR_RETURN(const auto models, thimble::RemoveModel(model, ToString(dtype), ToString(folder)));
    return FromModels(models);
  });
}

thimble_code thimble_known_models(thimble_text* text) {
  return GiveJson(text, [&]() -> thimble::Result<Value> {
    thimble::json::Array array;
    for (const thimble::KnownModelInfo& model : thimble::KnownModels()) {
      array.push_back(thimble::cli::KnownModelValues(model));
    }
    return Value(std::move(array));
  });
}

thimble_code thimble_memory(int32_t process, thimble_text* text) {
  return GiveJson(text, [&]() -> thimble::Result<Value> {
    THIMBLE_ASSIGN_OR_RETURN(const thimble::ProcessMemory memory, thimble::MeasureMemory(process));
    return Value(thimble::json::Object{
        {"rss_bytes", memory.rss_bytes},
        {"pss_bytes", memory.pss_bytes},
        {"private_bytes", memory.private_bytes},
        {"peak_rss_bytes", memory.peak_rss_bytes},
        {"data_bytes", memory.data_bytes},
    });
  });
}

thimble_code thimble_quantize(const float* vectors, size_t rows, size_t columns, const char* precision, float start,
                              float end, void* codes, size_t codes_bytes, thimble_text* error) {
  const Status status = thimble::base::Guarded([&]() -> Status {
    THIMBLE_ASSIGN_OR_RETURN(const thimble::Precision wanted, thimble::ParsePrecision(ToString(precision)));
    return thimble::Quantize({vectors, rows * columns}, columns, wanted, {start, end},
                             {static_cast<std::byte*>(codes), codes_bytes});
  });
  return Give(status, error);
}
