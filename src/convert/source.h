// The weights of a folder, from files of any format, under the names that their family has in a model.safetensors.

#ifndef THIMBLE_CONVERT_SOURCE_H_
#define THIMBLE_CONVERT_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "convert/names/family.h"
#include "convert/weight_file.h"
#include "thimble/status.h"

namespace thimble::convert {

// A tensor of a source.
struct SourceTensor {
  WeightFile* file = nullptr;
  std::size_t index = 0;  // Among the file's tensors.
};

// Open files of weights. Move-only; Thread-compatible.
class Source {
 public:
  // The file `name` of `folder`: safetensors, a checkpoint of PyTorch, an index of shards of either, or an ONNX file,
  // by its name; `pad_id` and `scores` as in OpenOnnx. kNotFound, kIo, kCorrupt when it is not such a file,
  // kUnsupported when its graph is not that of an encoder.
  static Result<Source> Open(const std::string& folder, const std::string& name, const Family& family,
                             std::optional<std::int32_t> pad_id = {}, bool scores = false);

  // The tensor `name`, whatever stands before it in the file, checked to have this shape. kCorrupt when it is missing,
  // there twice, or of another shape. Valid while the source lives.
  Result<const SourceTensor*> Find(std::string_view name, std::span<const std::uint64_t> shape) const;
  bool Contains(std::string_view name) const { return tensors_.contains(std::string(name)); }

  // Elements [first, first + out.size()) of a tensor as floats, row by row. kCorrupt when one is not finite or absurdly
  // large; kUnsupported when they are no floating-point numbers.
  Status Read(const SourceTensor& tensor, std::uint64_t first, std::span<float> out) const;

  // What an ONNX graph says beside its weights; null for other files.
  const OnnxModel* graph() const { return graph_.get(); }
  const Family& family() const { return *family_; }
  // Paths of the files.
  const std::vector<std::string>& paths() const { return hashed_; }
  // SHA-256 of all bytes of the files, one after the other, as 64 lower-case hexadecimal digits. kIo.
  Result<std::string> Hash() const;

 private:
  struct Entry {
    SourceTensor tensor;
    bool twice = false;
  };

  explicit Source(const Family& family) : family_(&family) {}
  Status AddFile(const std::string& path, std::optional<std::int32_t> pad_id = {}, bool scores = false);
  Status AddShards(const std::string& folder, const std::string& index);
  void AddNames(WeightFile& file);

  const Family* family_;
  std::string path_;
  std::vector<std::string> hashed_;  // Paths of what is read.
  std::vector<std::unique_ptr<WeightFile>> files_;
  std::unique_ptr<OnnxModel> graph_;
  std::unordered_map<std::string, Entry> tensors_;  // By name.
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_SOURCE_H_
