// Writing model files on POSIX systems.

#include "format/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/checked.h"
#include "base/error.h"
#include "format/reader.h"

namespace thimble::format {
namespace {

Status WriteAll(int file, const std::byte* data, std::size_t size, const std::string& path) {
  while (size > 0) {
    ssize_t count = write(file, data, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "cannot write", path);
    data += count;
    size -= static_cast<std::size_t>(count);
  }
  return Status();
}

// The JSON of a header, padded with spaces so that the data begins on a cache line.
std::string HeaderJson(const Layout& layout) {
  nlohmann::ordered_json json;
  nlohmann::ordered_json& metadata = json["__metadata__"];
  metadata[std::string(kVersionKey)] = kVersion;
  for (const auto& [key, value] : layout.metadata) metadata[key] = value;
  for (const TensorInfo& tensor : layout.tensors) {
    json[tensor.name] = {
        {"dtype", ElementName(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {tensor.begin, tensor.end}}};
  }
  std::string text = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize(RoundUp(text.size() + 8, kAlignment) - 8, ' ');
  return text;
}

}  // namespace

Result<Writer> Writer::Create(const std::string& path, Layout layout) {
  std::uint64_t offset = 0;
  for (TensorInfo& tensor : layout.tensors) {
    auto elements = CheckedProduct(tensor.shape);
    auto bytes = elements ? CheckedMul(*elements, ElementBytes(tensor.type)) : std::nullopt;
    auto end = bytes ? CheckedAdd(offset, *bytes) : std::nullopt;
    if (!end || *bytes % kAlignment != 0) {
      return Error(Code::kInvalidArgument, path, ": tensor \"", tensor.name, "\": its size is not a multiple of ",
                   kAlignment, " bytes");
    }
    tensor.begin = offset;
    tensor.end = offset = *end;
  }
  std::string temporary = path + ".XXXXXX";
  int file = mkostemp(temporary.data(), O_CLOEXEC);
  if (file < 0) return SystemError(errno, "cannot create a file beside", path);
  Writer writer(path, std::move(temporary), file, std::move(layout));
  // mkostemp gives 0600; a model is for everybody whom the umask lets in.
  mode_t mask = umask(0);
  umask(mask);
  fchmod(file, 0666 & ~mask);
  const std::string json = HeaderJson(writer.layout_);
  std::byte length[8];
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<std::byte>(json.size() >> (8 * i));
  THIMBLE_RETURN_IF_ERROR(WriteAll(file, length, 8, path));
  THIMBLE_RETURN_IF_ERROR(WriteAll(file, reinterpret_cast<const std::byte*>(json.data()), json.size(), path));
  return writer;
}

Writer::Writer(std::string path, std::string temporary, int file, Layout layout)
    : path_(std::move(path)), temporary_(std::move(temporary)), file_(file), layout_(std::move(layout)) {}

Writer::Writer(Writer&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      file_(std::exchange(other.file_, -1)),
      layout_(std::move(other.layout_)),
      next_(other.next_),
      written_(other.written_) {}

Writer::~Writer() {
  if (file_ < 0) return;
  close(file_);
  unlink(temporary_.c_str());
}

Status Writer::Append(std::string_view name, std::span<const std::byte> bytes) {
  if (next_ == layout_.tensors.size() || layout_.tensors[next_].name != name) {
    return Error(Code::kInvalidArgument, path_, ": tensor \"", name, "\" is not the next of the layout");
  }
  if (bytes.size() > layout_.tensors[next_].bytes() - written_) {
    return Error(Code::kInvalidArgument, path_, ": tensor \"", name, "\": more than the ",
                 layout_.tensors[next_].bytes(), " bytes of its layout");
  }
  THIMBLE_RETURN_IF_ERROR(WriteAll(file_, bytes.data(), bytes.size(), path_));
  written_ += bytes.size();
  if (written_ == layout_.tensors[next_].bytes()) {
    ++next_;
    written_ = 0;
  }
  return Status();
}

Status Writer::Finish() {
  if (next_ != layout_.tensors.size()) {
    return Error(Code::kInvalidArgument, path_, ": tensor \"", layout_.tensors[next_].name, "\" is not complete");
  }
  if (fsync(file_) != 0) return SystemError(errno, "cannot flush", path_);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) return SystemError(errno, "cannot rename to", path_);
  close(std::exchange(file_, -1));
  // The rename itself must survive a crash too; where a directory cannot be opened for that, the file is still whole.
  std::size_t slash = path_.rfind('/');
  int directory = open(slash == std::string::npos ? "." : path_.substr(0, slash + 1).c_str(), O_RDONLY | O_CLOEXEC);
  if (directory >= 0) {
    fsync(directory);
    close(directory);
  }
  return Status();
}

}  // namespace thimble::format
