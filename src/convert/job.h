// What is known of a conversion before the first tensor is read.

#ifndef THIMBLE_CONVERT_JOB_H_
#define THIMBLE_CONVERT_JOB_H_

#include <cstddef>
#include <string>

#include "convert/config.h"
#include "convert/convert.h"
#include "convert/source.h"
#include "convert/tokenizer_compiler.h"
#include "kernels/matrix.h"
#include "thimble/status.h"

namespace thimble::convert {

struct Job {
  Config config;
  Dtype dtype = Dtype::kQ8;
  Source source;
  CompiledTokenizer tokenizer;

  bool int8() const { return dtype != Dtype::kFp32 && dtype != Dtype::kFp16; }
  // How the parts of the model keep their weights.
  kernels::WeightFormat AttentionFormat(std::size_t layer) const;
  kernels::WeightFormat FeedForwardFormat(std::size_t layer) const;
  kernels::WeightFormat WordFormat() const;
  kernels::WeightFormat PositionFormat() const;
};

// The file of a folder's weights: safetensors, or else the plain ONNX export.
std::string WeightsOf(const std::string& folder);

// Reads what the folder says of the model, and opens its weights. The errors of Convert.
Result<Job> ReadJob(const std::string& folder, Dtype dtype, const Defaults& defaults);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_JOB_H_
