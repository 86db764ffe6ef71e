// The largest component of unit vectors, for every length that they can be cut to.

#include "convert/code_limits.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/sha256.h"
#include "convert/calibration.h"
#include "convert/matrix_writer.h"
#include "model/code_tensors.h"

namespace thimble::convert {
namespace {

constexpr std::size_t kHeaderBytes = 160;  // Of the metadata, at most.

// Raises the limit of each length to the largest component that a vector minus its `mean` has at that length.
void Measure(std::span<const float> vector, double mean, std::span<float> limits) {
  double squares = 0, largest = 0;
  for (std::size_t k = 0; k < vector.size(); ++k) {
    const double value = vector[k] - mean;
    squares += value * value;
    largest = std::max(largest, std::fabs(value));
    if (squares > 0) limits[k] = std::max(limits[k], static_cast<float>(largest / std::sqrt(squares)));
  }
}

}  // namespace

void DeclareCodeLimits(std::size_t dimensions, format::Layout* layout) {
  format::TensorInfo limits;
  limits.name = model::kCodesTensor;
  limits.type = format::ElementType::kF32;
  limits.shape = {model::CodesWidth(dimensions)};
  layout->tensors.push_back(limits);
  layout->reserve += kHeaderBytes;
}

Status AppendCodeLimits(std::size_t dimensions, format::Writer* writer) {
  const std::vector<float> zeros(model::CodesWidth(dimensions));
  return AppendValues<float>(std::string(model::kCodesTensor), zeros, writer);
}

Sequences CodeSequences(const model::Weights& weights) {
  Sequences sequences;
  std::vector<std::int32_t> ids(weights.info.max_tokens);
  std::vector<std::string_view> prompts = {{}};
  for (const Prompt& prompt : weights.info.prompts) prompts.emplace_back(prompt.text);
  std::size_t next = 0;
  for (const std::vector<std::string_view>& texts : {CalibrationTexts(), ReceiptTexts()}) {
    for (const std::string_view text : texts) {
      const std::string_view prompt = prompts[next++ % prompts.size()];
      sequences.Add(std::span(ids).first(weights.tokenizer.Encode(prompt, text, ids).tokens));
    }
  }
  return sequences;
}

Status WriteCodeLimits(const model::Weights& weights, std::span<const float> vectors, format::Writer* writer) {
  const std::size_t dimensions = weights.info.dimensions, count = vectors.size() / dimensions;
  std::vector<float> limits(model::CodesWidth(dimensions)), whole(dimensions);
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<const float> vector = vectors.subspan(i * dimensions, dimensions);
    // The other factor of the LayerNorm goes with the length.
    double mean = std::accumulate(vector.begin(), vector.end(), 0.0) / static_cast<double>(dimensions);
    if (!weights.info.layer_norm_before_cut) mean = 0;
    Measure(vector, mean, limits);
    Measure(vector, 0, whole);
  }
  limits[dimensions - 1] = whole.back();
  for (std::size_t k = 0; k < dimensions; ++k) {
    if (limits[k] == 0) limits[k] = 1;  // No vector has a value there.
  }
  const auto bytes = std::as_bytes(std::span(limits));
  THIMBLE_RETURN_IF_ERROR(writer->Overwrite(model::kCodesTensor, bytes));
  base::Sha256 hash;
  hash.Update(bytes);
  THIMBLE_RETURN_IF_ERROR(writer->SetMetadata(std::string(model::kCodesHashKey), hash.Hex()));
  return writer->SetMetadata(std::string(model::kCodesTextsKey), std::to_string(count));
}

}  // namespace thimble::convert
