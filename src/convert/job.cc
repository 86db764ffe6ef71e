// What is known of a conversion before the first tensor is read.

#include "convert/job.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "convert/json_file.h"

namespace thimble::convert {
namespace {

using kernels::WeightFormat;

// What of a model keeps the most bits.
WeightFormat FinestFormat(Dtype dtype) {
  return dtype == Dtype::kFp32 ? WeightFormat::kF32 : dtype == Dtype::kFp16 ? WeightFormat::kF16 : WeightFormat::kQ8;
}

WeightFormat MatrixFormat(Dtype dtype) {
  return dtype == Dtype::kQ6                               ? WeightFormat::kQ6
         : dtype == Dtype::kQ4 || dtype == Dtype::kQ4Small ? WeightFormat::kQ4
                                                           : FinestFormat(dtype);
}

}  // namespace

// The last layer writes what is pooled: with 8 bits there the error of q4 halves. Most of that is its attention's.
WeightFormat Job::AttentionFormat(std::size_t layer) const {
  return layer + 1 == config.layers ? FinestFormat(dtype) : MatrixFormat(dtype);
}

WeightFormat Job::FeedForwardFormat(std::size_t layer) const {
  return dtype == Dtype::kQ4Small ? MatrixFormat(dtype) : AttentionFormat(layer);
}

WeightFormat Job::WordFormat() const {
  return dtype == Dtype::kQ6 || dtype == Dtype::kQ4 ? WeightFormat::kQ6
         : dtype == Dtype::kQ4Small                 ? WeightFormat::kQ4
                                                    : FinestFormat(dtype);
}

// Two more bits than the words, which they are added to.
WeightFormat Job::PositionFormat() const { return dtype == Dtype::kQ4Small ? WeightFormat::kQ6 : FinestFormat(dtype); }

std::string WeightsOf(const std::string& folder) {
  constexpr const char* kSafetensors = "/model.safetensors";
  std::error_code error;
  for (const char* name : {kSafetensors, "/onnx/model.onnx", "/model.onnx", "/onnx/model_fp16.onnx"}) {
    if (std::filesystem::exists(folder + name, error)) return folder + name;
  }
  return folder + kSafetensors;  // Whose absence is then the error.
}

Result<Job> ReadJob(const std::string& folder, Dtype dtype, const Defaults& defaults) {
  THIMBLE_ASSIGN_OR_RETURN(Config config, ReadConfig(folder, defaults));
  const std::string tokenizer_path = folder + "/tokenizer.json";
  CompiledTokenizer tokenizer;
  {
    THIMBLE_ASSIGN_OR_RETURN(std::string json, ReadFile(tokenizer_path, kMaxTokenizerBytes));
    THIMBLE_ASSIGN_OR_RETURN(tokenizer, CompileTokenizer(json, tokenizer_path));
  }
  if (tokenizer.vocabulary > config.vocabulary) {
    return Error(Code::kCorrupt, tokenizer_path, ": ids up to ", tokenizer.vocabulary - 1,
                 ", config.json has vocab_size ", config.vocabulary);
  }
  const std::size_t special = tokenizer.tables().prefix_count + tokenizer.tables().suffix_count;
  if (config.max_tokens <= special) {
    return Error(Code::kCorrupt, folder, ": a limit of ", config.max_tokens, " tokens leaves no room beside ", special,
                 " special tokens");
  }
  THIMBLE_ASSIGN_OR_RETURN(Source source, Source::Open(WeightsOf(folder)));
  return Job{std::move(config), dtype, std::move(source), std::move(tokenizer)};
}

}  // namespace thimble::convert
