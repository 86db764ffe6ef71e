// thimble embed from a file into a file: a job that can be resumed.

#ifndef THIMBLE_CLI_EMBED_JOB_H_
#define THIMBLE_CLI_EMBED_JOB_H_

#include <string>
#include <string_view>

#include "cli/options.h"

namespace thimble::cli {

// --id-field --resume --dedupe.
struct JobFlags {
  std::string id_field;
  bool resume = false, dedupe = false;

  void AddTo(CLI::App& app);
  // kInvalidArgument, saying why, if one is given where there is no job.
  Status CheckUnused(std::string_view why) const;
};

struct JobForm {
  std::string format, precision, output;
};

// Why the texts and vectors cannot make a job; empty if they do.
std::string WhyNoJob(const SourceOptions& source, const std::string& output, const std::string& format);

// False where memory does not suffice for a job, nothing that only jobs have is asked for, and nothing was done:
// embedding one batch after the other then takes less.
Result<bool> EmbedJob(const ModelOption& model_option, const SourceOptions& source, const EmbedderFlags& flags,
                      const JobFlags& job, const JobForm& form);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_EMBED_JOB_H_
