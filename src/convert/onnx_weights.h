#ifndef THIMBLE_CONVERT_ONNX_WEIGHTS_H_
#define THIMBLE_CONVERT_ONNX_WEIGHTS_H_
#include <memory>
#include <optional>
#include <string>
#include "base/error.h"
#include "convert/weight_file.h"
#include "model/head.h"
namespace thimble::convert {
struct OnnxModel { std::unique_ptr<WeightFile> weights; std::optional<HeadSpec> head; std::string note; std::string activation; std::optional<double> epsilon; std::optional<std::size_t> heads; std::vector<std::string> data_files; };
inline Result<OnnxModel> OpenOnnx(const std::string& path) { return Error(Code::kUnsupported, path, ": stub"); }
}
#endif
