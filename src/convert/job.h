// What is known of a conversion before the first tensor of the encoder is read.

#ifndef THIMBLE_CONVERT_JOB_H_
#define THIMBLE_CONVERT_JOB_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "convert/config.h"
#include "convert/head_source.h"
#include "convert/source.h"
#include "convert/tokenizer_folder.h"
#include "format/dtypes.h"
#include "model/program.h"
#include "thimble/convert.h"
#include "thimble/status.h"

namespace thimble::convert {

struct Job {
  Config config;
  model::Program program;  // Of the encoder.
  format::Dtype dtype = format::Dtype::kQ8;
  Source source;
  TokenizerSource tokenizer;
  HeadSource head;
  bool pooling_stated = true;
  bool normalize = false;
  std::size_t max_tokens = 0;
  std::optional<std::size_t> model_max_length;  // Of the tokenizer, at most the positions.
  std::vector<Prompt> prompts;
  std::vector<std::string> notes;  // What was assumed, or is not as the source has it: sentences for people.

  const format::DtypeFormats& formats() const { return format::FormatsOf(dtype); }
  format::WeightFormat words() const { return format::WordsFormat(formats(), program.architecture.vocabulary); }
  bool int8() const { return formats().int8(); }
  // Whether the second text of a pair has the second token type.
  bool has_second_type() const { return tokenizer.tokenizer.kind->around.second_type != 0; }
  format::WeightFormat MatrixFormat(std::size_t layer, const model::Step& step) const;
};

// The error of a source that does not state how its tokens are pooled.
Status UnstatedPooling(const std::string& source);

// What a graph computes must be what config.json says, or kCorrupt, except that optimisers put the approximation in
// place of the exact GELU: then the graph counts, as where it runs itself, and a note says so. `path` is the graph's.
Status FollowGraph(const OnnxModel& graph, const std::string& path, Config* config, std::vector<std::string>* notes);

// Reads what the folder says of the model, and opens its weights. The errors of Convert.
Result<Job> ReadJob(const std::string& folder, const ConvertOptions& options);

// The name that the file gets.
std::string NameOf(const std::string& folder, const ConvertOptions& options);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_JOB_H_
