// The options of a job, all that change its output.

#include "bulk/job_value.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace thimble::bulk {

json::Value JobValue(const Model& model, const CorpusOptions& options, const VectorForm& form, InputFormat input_format,
                     const Plan& plan) {
  const ModelInfo& info = model.info();
  const VectorOptions& vectors = options.vectors;
  const auto optional = [](const auto& value) { return value ? json::Value(*value) : json::Value(); };
  json::Object job;
  job.Append("journal") = 1;
  job.Append("model") = info.name;
  job.Append("fingerprint") = info.fingerprint;
  job.Append("dtype") = info.dtype;
  job.Append("model_bytes") = info.file_bytes;
  job.Append("dimensions") = vectors.dimensions.value_or(info.dimensions);
  job.Append("input_format") = InputFormatName(input_format);
  if (input_format != InputFormat::kLines) job.Append("field") = options.text_field;
  job.Append("id_field") = options.id_field;
  job.Append("format") = VectorFormatName(form.format);
  job.Append("precision") = PrecisionName(form.precision);
  job.Append("pooling") = vectors.pooling ? json::Value(PoolingName(*vectors.pooling)) : json::Value();
  job.Append("normalize") = optional(vectors.normalize);
  job.Append("prompt_name") = optional(vectors.prompt_name);
  job.Append("long_texts") = LongTextsName(vectors.long_texts);
  job.Append("chunk_overlap") = optional(vectors.chunk_overlap);
  job.Append("truncation") = TruncationName(options.embedder.truncation);
  job.Append("max_tokens") = plan.max_tokens;
  job.Append("dedupe") = options.dedupe;
  return job;
}

std::string JobDifference(const json::Value& before, const json::Value& now) {
  for (const auto& [key, value] : now.object()) {
    const json::Value* old = before.Find(key);
    const std::string there = old == nullptr ? "none" : old->Text();
    if (there == value.Text()) continue;
    constexpr std::string_view kNoOptions[] = {"journal", "fingerprint", "model_bytes", "input_format"};
    const bool option = std::find(std::begin(kNoOptions), std::end(kNoOptions), key) == std::end(kNoOptions);
    return (option ? "`" + key + "`" : key) + " " + there + ", and this one has " + value.Text();
  }
  return "";
}

}  // namespace thimble::bulk
