// Reading elements of F32, F16 and BF16.

#include <cstddef>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/regular_file.h"
#include "convert/file_reader.h"
#include "convert/weight_file.h"
#include "format/safetensors.h"

namespace thimble::convert {
namespace {

using format::ElementType;

class SafetensorsFile final : public WeightFile {
 public:
  SafetensorsFile(std::string path, base::RegularFile file, format::Header header)
      : WeightFile(std::move(path)), file_(std::move(file)), header_(std::move(header)) {
    for (const format::TensorInfo& info : header_.tensors) tensors_.push_back({info.name, info.shape});
  }

  Status Read(std::size_t index, std::uint64_t first, std::span<float> out) override {
    const format::TensorInfo& info = header_.tensors[index];
    if (info.type != ElementType::kF32 && info.type != ElementType::kF16 && info.type != ElementType::kBF16) {
      return Error(Code::kUnsupported, path_, ": tensor \"", info.name, "\": expected F32, F16 or BF16, found ",
                   format::ElementName(info.type));
    }
    const std::size_t width = format::ElementBytes(info.type);
    const std::uint64_t begin = header_.data_begin + info.begin + first * width;
    if (info.type == ElementType::kF32) return file_.ReadAt(begin, std::as_writable_bytes(out));
    buffer_.resize(out.size() * width);
    THIMBLE_RETURN_IF_ERROR(file_.ReadAt(begin, buffer_));
    Widen(buffer_.data(), info.type == ElementType::kF16, out);
    return Status();
  }

 private:
  base::RegularFile file_;
  format::Header header_;
  std::vector<std::byte> buffer_;
};

}  // namespace

Result<std::unique_ptr<WeightFile>> OpenSafetensorsFile(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(base::RegularFile file, base::RegularFile::Open(path));
  std::byte first[8] = {};
  if (file.size() >= sizeof first) THIMBLE_RETURN_IF_ERROR(file.ReadAt(0, first));
  THIMBLE_ASSIGN_OR_RETURN(std::uint64_t length, format::HeaderBytes(first, file.size(), path));
  std::string json(length, '\0');
  THIMBLE_RETURN_IF_ERROR(file.ReadAt(sizeof first, std::as_writable_bytes(std::span(json))));
  THIMBLE_ASSIGN_OR_RETURN(format::Header header, format::ParseHeader(json, file.size(), path));
  return std::unique_ptr<WeightFile>(std::make_unique<SafetensorsFile>(path, std::move(file), std::move(header)));
}

}  // namespace thimble::convert
