// Turns a Hugging Face folder into a model file.

#ifndef THIMBLE_CONVERT_CONVERT_H_
#define THIMBLE_CONVERT_CONVERT_H_

#include <functional>
#include <string>
#include <string_view>

#include "thimble/status.h"

namespace thimble::convert {

// q6 keeps 6 bits of the weights, q4 and q4-small 4; the first two keep the word table in 6 bits and the last layer in
// 8, q4-small 4 and the attention of the last layer.
enum class Dtype { kFp32, kFp16, kQ8, kQ6, kQ4, kQ4Small };

std::string_view DtypeName(Dtype dtype);
// kInvalidArgument for a name other than fp32, fp16, q8, q6, q4, q4-small.
Result<Dtype> ParseDtype(std::string_view name);

struct Options {
  Dtype dtype = Dtype::kQ8;
  std::string name;  // Stored in the file; empty means the last component of the source's path.
  // Called with the share of tensors written, 0 to 1; may be empty.
  std::function<void(double)> progress;
};

// Reads the folder `source`, its weights from model.safetensors or else from the plain ONNX export, and writes the
// model file `output`; nothing is left behind on failure. Needs memory for about one tensor. kNotFound for a missing
// file, kCorrupt for a malformed one, kUnsupported for an architecture, activation, tokenizer or size that thimble does
// not run; the message names the file and the field or tensor.
Status Convert(const std::string& source, const std::string& output, const Options& options);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_CONVERT_H_
