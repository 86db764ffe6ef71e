// The way of a model from a Hugging Face folder into a model file.

#include "thimble/convert.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/guard.h"
#include "base/path.h"
#include "base/processors.h"
#include "base/regular_file.h"
#include "base/sha256.h"
#include "base/thread_team.h"
#include "convert/calibration.h"
#include "convert/calibrator.h"
#include "convert/folder_files.h"
#include "convert/forward.h"
#include "convert/job.h"
#include "convert/layout.h"
#include "convert/model_writer.h"
#include "convert/receipt.h"
#include "text/tokenizer.h"

namespace thimble::convert {
namespace {

constexpr std::size_t kMaxThreads = 8;  // More gain little.

Result<std::string> HashOf(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(base::RegularFile file, base::RegularFile::Open(path));
  return base::Sha256OfFile(file, 0, file.size());
}

Status Convert(const std::string& source, const std::string& output, const ConvertOptions& options) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(base::ToPath(source), ignored)) {
    return Error(Code::kInvalidArgument, source,
                 ": expected a folder, found a file; give the folder with config.json, ", "tokenizer and weights");
  }
  THIMBLE_ASSIGN_OR_RETURN(Job job, ReadJob(source, options));
  THIMBLE_RETURN_IF_ERROR(CheckNotRead(source, output));
  std::vector<base::InputFile> inputs = {base::InputFileAt(job.tokenizer.path)};
  for (const std::string& path : job.source.paths()) inputs.push_back(base::InputFileAt(path));
  if (!options.calibration_file.empty()) inputs.push_back(base::InputFileAt(options.calibration_file));
  THIMBLE_RETURN_IF_ERROR(base::CheckOutput(output, base::IdentityOf(output), inputs));
  const model::Architecture& encoder = job.program.architecture;
  THIMBLE_ASSIGN_OR_RETURN(const kernels::Kernels* kernels, kernels::ChooseKernels());
  const std::size_t threads = options.threads == 0 ? std::min(base::UsableProcessors(), kMaxThreads) : options.threads;
  base::ThreadTeam team = base::ThreadTeam::Create(threads);
  // Not a note of the job, which the file records: the file does not depend on the threads.
  if (team.size() < threads && options.note) options.note(base::FewerThreads(team.size(), threads));
  for (const std::string& note : job.notes) {
    if (options.note) options.note(note);
  }
  THIMBLE_ASSIGN_OR_RETURN(const text::Tokenizer tokenizer,
                           text::Tokenizer::Create(job.tokenizer.tokenizer.kind, encoder.vocabulary));

  // One forward pass in fp32 is for calibration and, behind that, for the vectors of the receipt.
  CalibrationSet set = {.fit = {}, .unseen = {}, .description = "none"};
  if (job.int8() && options.calibrate) {
    const std::size_t longest = std::min(encoder.positions, Forward::kMaxChunk);
    THIMBLE_ASSIGN_OR_RETURN(set, MakeCalibration(tokenizer, encoder.vocabulary, longest, options.calibration_file));
  }
  const std::size_t fit = set.fit.lengths.size(), seen = fit + set.unseen.lengths.size();
  Sequences sequences = std::move(set.fit);
  sequences.Add(set.unseen);
  THIMBLE_ASSIGN_OR_RETURN(const Sequences of_receipt, ReceiptSequences(tokenizer, job.max_tokens));
  sequences.Add(of_receipt);
  Forward forward(job.program, std::move(sequences), {fit, seen}, *kernels, team);
  std::optional<Calibrator> calibrator;
  if (seen > 0) calibrator.emplace(job.program, fit, seen, *kernels, team);

  ReceiptFacts facts;
  facts.calibration = set.description;
  facts.pairs = encoder.pairs;
  THIMBLE_ASSIGN_OR_RETURN(facts.source_sha256, job.source.Hash());
  THIMBLE_ASSIGN_OR_RETURN(facts.tokenizer_sha256, HashOf(job.tokenizer.path));

  format::Layout layout = LayoutOf(job, NameOf(source, options));
  layout.metadata.insert(layout.metadata.end(), options.metadata.begin(), options.metadata.end());
  THIMBLE_ASSIGN_OR_RETURN(format::Writer writer, format::Writer::Create(output, std::move(layout)));
  const Tell tell = [&](double share) {
    if (!options.progress || options.progress(share)) return Status();
    return Error(Code::kIo, "the conversion was aborted");
  };
  THIMBLE_RETURN_IF_ERROR(WriteModel(job, forward, calibrator ? &*calibrator : nullptr, tell, &writer));
  facts.recipe = RecipeOf(job, calibrator ? &calibrator->report() : nullptr);
  THIMBLE_ASSIGN_OR_RETURN(const ReceiptVectors exact, ExactVectorsOf(forward, seen, encoder.hidden, job.head,
                                                                      job.normalize, *kernels, encoder.pairs));
  THIMBLE_RETURN_IF_ERROR(WriteReceipt(facts, exact, *kernels, team, &writer));
  THIMBLE_RETURN_IF_ERROR(tell(1));
  THIMBLE_RETURN_IF_ERROR(writer.Finish());
  if (options.note && !writer.remark().empty()) options.note(writer.remark());
  return Status();
}

}  // namespace
}  // namespace thimble::convert

namespace thimble::inline v0_1 {

Status ConvertModel(const std::string& source, const std::string& output, const ConvertOptions& options) {
  return base::Guarded([&] { return convert::Convert(source, output, options); });
}

}  // namespace thimble::inline v0_1
