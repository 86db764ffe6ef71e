// What only builds with the tools have: the command line, the converter, and remote backends.

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "c/job.h"
#include "c/values.h"
#include "cli/process_start.h"
#include "cli/program.h"
#include "json/value.h"
#include "thimble/backend.h"
#include "thimble/convert.h"

struct thimble_backend {
  std::shared_ptr<thimble::Backend> backend;
};

namespace thimble::c {
namespace {

Result<BackendOptions> ToBackendOptions(const thimble_backend_options* given) {
  thimble_backend_options from;
  THIMBLE_RETURN_IF_ERROR(ReadOptions(given, from));
  BackendOptions options;
  options.model = ToString(from.model);
  options.dtype = ToString(from.dtype);
  options.base_url = ToString(from.base_url);
  options.encoding = ToString(from.encoding);
  options.space = ToString(from.space);
  options.dimensions = from.dimensions;
  options.request_texts = from.request_texts;
  options.concurrency = from.concurrency;
  options.cache_bytes = from.cache_bytes;
  if (from.max_retries != 0)
    options.max_retries = from.max_retries < 0 ? 0 : static_cast<std::size_t>(from.max_retries);
  return options;
}

Result<BackendCall> ToCall(const thimble_encode_options* given) {
  THIMBLE_ASSIGN_OR_RETURN(const Wanted wanted, ToWanted(given));
  const char* unknown = wanted.options.dimensions      ? "dimensions"
                        : wanted.options.pooling       ? "pooling"
                        : wanted.options.chunk_overlap ? "chunk_overlap"
                                                       : nullptr;
  if (unknown != nullptr) {
    return Error(Code::kUnsupported, unknown,
                 ": a call of a backend has no such option; only `dimensions` can be set, ",
                 "when the backend is opened");
  }
  if (wanted.precision != Precision::kFloat32) {
    return Error(Code::kUnsupported, "precision ", PrecisionName(wanted.precision),
                 ": backends give floats; thimble_quantize makes codes of them");
  }
  BackendCall call;
  call.prompt_name = wanted.options.prompt_name;
  if (given != nullptr && given->long_texts != nullptr) call.long_texts = wanted.options.long_texts;
  call.normalize = wanted.options.normalize;
  call.timeout = std::chrono::milliseconds(wanted.timeout_ms);
  call.first_index = wanted.options.first_index;
  return call;
}

Status Embed(Backend& backend, Task& task, const std::vector<std::string_view>& texts, BackendCall call,
             thimble_report* reports, Found& found) {
  call.go_on = [&] { return !task.cancelled(); };
  std::vector<Embedding> embeddings;
  THIMBLE_RETURN_IF_ERROR(backend.Embed(texts, call, embeddings));
  found.rows = embeddings.size();
  for (std::size_t i = 0; i < embeddings.size(); ++i) {
    const Embedding& embedding = embeddings[i];
    if (i == 0) {
      found.columns = embedding.vector.size();
      found.vectors.reserve(found.rows * found.columns);
    }
    if (embedding.vector.size() != found.columns) {
      return Error(Code::kCorrupt, "vectors: expected all to have ", found.columns, " dimensions, found ",
                   embedding.vector.size(), " of texts[", call.first_index + i, "]");
    }
    found.vectors.insert(found.vectors.end(), embedding.vector.begin(), embedding.vector.end());
    if (reports == nullptr) continue;
    reports[i] = {.tokens = embedding.tokens ? *embedding.tokens : THIMBLE_UNKNOWN,
                  .truncated = embedding.truncated ? std::uint64_t{*embedding.truncated} : THIMBLE_UNKNOWN,
                  .chunks = embedding.chunks};
  }
  return Status();
}

Status Describe(Backend& backend, Task& task, Found& found) {
  THIMBLE_ASSIGN_OR_RETURN(const BackendInfo info, backend.Describe({.go_on = [&] { return !task.cancelled(); }}));
  json::Array prompts;
  for (const std::string& name : info.prompt_names) prompts.push_back(name);
  found.text = json::Value(json::Object{
                               {"name", info.name},
                               {"model", info.model},
                               {"fingerprint", info.fingerprint},
                               {"dimensions", info.dimensions},
                               {"max_tokens", info.max_tokens},
                               {"prompt_names", std::move(prompts)},
                           })
                   .Text();
  return Status();
}

Result<ConvertOptions> ToConvertOptions(const thimble_convert_options* given) {
  thimble_convert_options from;
  THIMBLE_RETURN_IF_ERROR(ReadOptions(given, from));
  ConvertOptions options;
  options.dtype = ToDtype(from.dtype);
  options.name = ToString(from.name);
  options.known_as = ToString(from.known_as);
  options.calibration_file = ToString(from.calibration_file);
  THIMBLE_RETURN_IF_ERROR(ReadName(from.pooling, ParsePooling, options.pooling));
  THIMBLE_ASSIGN_OR_RETURN(options.normalize, ToChoice(from.normalize, "normalize"));
  THIMBLE_ASSIGN_OR_RETURN(const auto calibrate, ToChoice(from.calibrate, "calibrate"));
  options.calibrate = calibrate.value_or(true);
  options.unstated_pooling = from.unstated_pooling != 0;
  if (from.threads < 0) return Error(Code::kInvalidArgument, "threads: expected at least 0, found ", from.threads);
  options.threads = static_cast<std::size_t>(from.threads);
  return options;
}

Status Convert(const std::string& source, const std::string& output, ConvertOptions options, Task& task, Found& found) {
  json::Array notes;
  options.note = [&](std::string_view note) { notes.push_back(note); };
  options.progress = [&](double share) {
    task.SetProgress({.stage = 3, .bytes = 0, .total_bytes = 0, .share = share});
    return !task.cancelled();
  };
  THIMBLE_RETURN_IF_ERROR(ConvertModel(source, output, options));
  found.text = json::Value(json::Object{{"notes", std::move(notes)}}).Text();
  return Status();
}

}  // namespace
}  // namespace thimble::c

using namespace thimble::c;
using thimble::Code;
using thimble::Status;

int thimble_main(int argc, char** argv, const char* const* program) {
  for (; program != nullptr && *program != nullptr; ++program) thimble::cli::OwnCommand().emplace_back(*program);
  return thimble::cli::RunProgram(argc, argv);
}

thimble_code thimble_backend_open(const char* name, const thimble_backend_options* options, thimble_backend** backend,
                                  thimble_text* error) {
  *backend = nullptr;
  const Status status = thimble::base::Guarded([&]() -> Status {
    THIMBLE_ASSIGN_OR_RETURN(const thimble::BackendOptions given, ToBackendOptions(options));
    THIMBLE_ASSIGN_OR_RETURN(thimble::Backend opened, thimble::Backend::Open(ToString(name), given));
    *backend = new thimble_backend{std::make_shared<thimble::Backend>(std::move(opened))};
    return Status();
  });
  return Give(status, error);
}

void thimble_backend_close(thimble_backend* backend) {
  if (backend == nullptr) return;
  backend->backend->Close();
  delete backend;
}

thimble_job* thimble_backend_encode(thimble_backend* backend, const thimble_texts* texts,
                                    const thimble_encode_options* options, thimble_report* reports) {
  if (backend == nullptr) return FailedJob(Status(Code::kInvalidArgument, "backend: expected one, found NULL"));
  return With(ToViews(texts, "texts"), [&](const auto& views) {
    return With(ToCall(options), [&](const thimble::BackendCall& call) {
      return StartLoneJob([opened = backend->backend, views, call, reports](Task& task, Found& found) {
        return Embed(*opened, task, views, call, reports, found);
      });
    });
  });
}

thimble_job* thimble_backend_describe(thimble_backend* backend) {
  if (backend == nullptr) return FailedJob(Status(Code::kInvalidArgument, "backend: expected one, found NULL"));
  return StartLoneJob([opened = backend->backend](Task& task, Found& found) { return Describe(*opened, task, found); });
}

thimble_job* thimble_convert(const char* source, const char* output, const thimble_convert_options* options) {
  if (source == nullptr || output == nullptr) {
    return FailedJob(Status(Code::kInvalidArgument, "source and output: expected paths, found NULL"));
  }
  return With(ToConvertOptions(options), [&](const thimble::ConvertOptions& wanted) {
    return StartLoneJob([from = std::string(source), to = std::string(output), wanted](Task& task, Found& found) {
      return Convert(from, to, wanted, task, found);
    });
  });
}
