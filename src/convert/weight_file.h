// A file of named weights, whatever its format, read piece by piece so that little is in memory at once.

#ifndef THIMBLE_CONVERT_WEIGHT_FILE_H_
#define THIMBLE_CONVERT_WEIGHT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "convert/names/family.h"
#include "model/head.h"
#include "thimble/status.h"

namespace thimble::convert {

struct WeightTensor {
  std::string name;                  // As the file calls it; of a graph, as model.safetensors would.
  std::vector<std::uint64_t> shape;  // That it is read in, whose product fits 64 bits.
};

// Thread-compatible.
class WeightFile {
 public:
  virtual ~WeightFile() = default;

  const std::string& path() const { return path_; }
  const std::vector<WeightTensor>& tensors() const { return tensors_; }

  // Elements [first, first + out.size()) of tensors()[index], row by row, as floats; they must be there. kUnsupported,
  // naming the tensor and its type, where its elements are no floating-point numbers; kIo.
  virtual Status Read(std::size_t index, std::uint64_t first, std::span<float> out) = 0;

 protected:
  explicit WeightFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::vector<WeightTensor> tensors_;  // Names are distinct.
};

// Weights in a safetensors file; what is read of it does not stay in this process's memory. kNotFound, kIo, or kCorrupt
// when it is not such a file.
Result<std::unique_ptr<WeightFile>> OpenSafetensorsFile(const std::string& path);

// A state dict in a file that torch.save wrote, such as pytorch_model.bin: a dict or OrderedDict of names and tensors,
// nothing else, in a zip archive or the older row of pickles. Its pickle is read as data and never executed. Tensors of
// every type are listed; those of float64 (rounded to float), float32, float16 and bfloat16 can be read. kNotFound,
// kIo; kUnsupported for other objects, globals, opcodes and layouts, each by name; kCorrupt for what contradicts
// itself.
Result<std::unique_ptr<WeightFile>> OpenTorchFile(const std::string& path);

struct OnnxModel {
  // Under the names of a model.safetensors of the family without a prefix, those of the head as "head.I.linear.weight",
  // "head.I.linear.bias", "head.I.residual.weight", "head.I.norm.weight" and "head.I.norm.bias", I the index of the
  // module; those of a cross-encoder's scores as the family has them. Quantised weights are read as the numbers that
  // they stand for. The table of token types has one row where the graph has but that of type 0.
  std::unique_ptr<WeightFile> weights;
  std::optional<model::HeadSpec> head;  // Of the output sentence_embedding, where the graph has one.
  std::vector<std::string> data_files;  // Paths of external data.
  std::string note;                     // A sentence for the user about quantised weights, or empty.
  // What config.json has to agree with.
  std::string activation;  // "gelu", "gelu_new", "relu", "silu" or "quick_gelu".
  std::uint64_t heads = 0;
  std::optional<double> epsilon;  // Of the layer norms; nullopt where 16 bits are too few for it.
  bool takes_types = false;       // Whether it has token_type_ids for an input; otherwise all are 0.
};

// kNotFound, kIo; kCorrupt for what is no ONNX file, or one whose data are not there; kInvalidArgument for data outside
// the folder of the file; kUnsupported, with the node and what was expected there, for a graph that computes anything
// but such an encoder and a head that HeadSpec has.
//
// `pad_id` as in model::Architecture: the positions of the graph must be those. With `scores`, the graph must be that
// of a cross-encoder, with the output logits.
Result<OnnxModel> OpenOnnx(const std::string& path, const Family& family, std::optional<std::int32_t> pad_id = {},
                           bool scores = false);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_WEIGHT_FILE_H_
