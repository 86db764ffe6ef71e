// Reading the few messages of onnx.proto that hold weights, in the wire format of protocol buffers: a sequence of keys
// (number << 3 | kind), each with a varint, 4 or 8 bytes, or a length and so many bytes.

#include "convert/onnx_file.h"

#include <cstring>
#include <utility>

#include "base/error.h"

namespace thimble::convert {
namespace {

using Bytes = std::span<const std::byte>;

// Some ten times what an exported encoder of 24 layers has; they bound the work that a hostile file makes.
constexpr std::size_t kMaxNodes = 20000, kMaxTensors = 20000, kMaxNames = 200000, kMaxRank = 8;

struct Field {
  std::uint32_t number = 0;
  std::uint64_t value = 0;  // Of a varint.
  float number32 = 0;       // Of 4 bytes.
  Bytes bytes;              // Of a length and bytes.
  enum Kind { kVarint, kBytes, kFixed } kind = kVarint;
};

// The fields of one message.
class Message {
 public:
  explicit Message(Bytes bytes) : rest_(bytes) {}

  // False at the end, and when the bytes are no message: then ok() is false too.
  bool Next(Field* field) {
    std::uint64_t key = 0, length = 0;
    if (rest_.empty() || !Varint(&key)) return false;
    *field = {};
    field->number = static_cast<std::uint32_t>(key >> 3);
    switch (key & 7) {
      case 0:
        field->kind = Field::kVarint;
        return Varint(&field->value);
      case 1:
        field->kind = Field::kFixed;
        return Take(8, &field->bytes);
      case 2:
        field->kind = Field::kBytes;
        return Varint(&length) && Take(length, &field->bytes);
      case 5:
        field->kind = Field::kFixed;
        if (!Take(4, &field->bytes)) return false;
        std::memcpy(&field->number32, field->bytes.data(), 4);
        return true;
      default:
        return ok_ = false;
    }
  }
  bool ok() const { return ok_; }

  bool Varint(std::uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint64_t>(rest_[0]);
      rest_ = rest_.subspan(1);
      *value |= (byte & 127) << shift;
      if (byte < 128) return true;
    }
    return ok_ = false;
  }
  bool empty() const { return rest_.empty(); }

 private:
  bool Take(std::uint64_t count, Bytes* bytes) {
    if (count > rest_.size()) return ok_ = false;
    *bytes = rest_.first(count);
    rest_ = rest_.subspan(count);
    return true;
  }

  Bytes rest_;
  bool ok_ = true;
};

std::string_view Text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Reads the messages; every function returns false when the file is malformed or beyond a limit.
class Parser {
 public:
  Parser(Bytes file, std::vector<OnnxTensor>* tensors, std::vector<OnnxNode>* nodes)
      : file_(file), tensors_(*tensors), nodes_(*nodes) {}

  bool Model() {
    Message message(file_);
    bool graph = false;
    for (Field field; message.Next(&field);) {
      if (field.number == 7 && field.kind == Field::kBytes) {
        graph = true;
        if (!Graph(field.bytes)) return false;
      }
    }
    return message.ok() && graph;
  }

 private:
  bool Graph(Bytes bytes) {
    Message message(bytes);
    for (Field field; message.Next(&field);) {
      if (field.kind != Field::kBytes) continue;
      if (field.number == 1 && !Node(field.bytes)) return false;
      if (field.number == 5 && !Tensor(field.bytes)) return false;
    }
    return message.ok();
  }

  bool Node(Bytes bytes) {
    if (nodes_.size() == kMaxNodes) return false;
    OnnxNode node;
    Message message(bytes);
    for (Field field; message.Next(&field);) {
      if (field.kind != Field::kBytes) continue;
      if (field.number == 1 || field.number == 2) {
        if (++names_ > kMaxNames) return false;
        (field.number == 1 ? node.inputs : node.outputs).push_back(Text(field.bytes));
      } else if (field.number == 4) {
        node.op = Text(field.bytes);
      } else if (field.number == 5 && !Attribute(field.bytes, &node)) {
        return false;
      }
    }
    nodes_.push_back(std::move(node));
    return message.ok();
  }

  bool Attribute(Bytes bytes, OnnxNode* node) {
    std::string_view name;
    float real = 0;
    std::int64_t integer = 0;
    Bytes tensor;
    Message message(bytes);
    for (Field field; message.Next(&field);) {
      if (field.number == 1) name = Text(field.bytes);
      if (field.number == 2) real = field.number32;
      if (field.number == 3) integer = static_cast<std::int64_t>(field.value);
      if (field.number == 5) tensor = field.bytes;
    }
    if (!message.ok()) return false;
    if (name == "alpha") node->alpha = real;
    if (name == "beta") node->beta = real;
    if (name == "transA") node->trans_a = integer;
    if (name == "transB") node->trans_b = integer;
    if (name == "value" && node->op == "Constant" && !tensor.empty()) {
      node->constant = static_cast<int>(tensors_.size());
      return Tensor(tensor);
    }
    return true;
  }

  bool Tensor(Bytes bytes) {
    if (tensors_.size() == kMaxTensors) return false;
    OnnxTensor tensor;
    Message message(bytes);
    for (Field field; message.Next(&field);) {
      if (field.number == 1) {
        if (field.kind == Field::kVarint) tensor.shape.push_back(field.value);
        Message packed(field.kind == Field::kBytes ? field.bytes : Bytes());
        for (std::uint64_t size; !packed.empty() && tensor.shape.size() <= kMaxRank;) {
          if (!packed.Varint(&size)) return false;
          tensor.shape.push_back(size);
        }
        if (tensor.shape.size() > kMaxRank) return false;
      } else if (field.number == 2) {
        tensor.type = static_cast<std::int64_t>(field.value);
      } else if (field.number == 8) {
        tensor.name = Text(field.bytes);
      } else if ((field.number == 9 || field.number == 4) && field.kind == Field::kBytes) {
        tensor.begin = static_cast<std::uint64_t>(field.bytes.data() - file_.data());
        tensor.bytes = field.bytes.size();
      }
    }
    tensors_.push_back(std::move(tensor));
    return message.ok();
  }

  const Bytes file_;
  std::vector<OnnxTensor>& tensors_;
  std::vector<OnnxNode>& nodes_;
  std::size_t names_ = 0;
};

}  // namespace

Result<OnnxFile> OnnxFile::Open(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(FileMap map, FileMap::Open(path));
  OnnxFile file(std::move(map));
  if (!Parser(file.bytes(), &file.tensors_, &file.nodes_).Model()) {
    return Error(Code::kCorrupt, path, ": not an ONNX file, or one cut short");
  }
  return file;
}

}  // namespace thimble::convert
