// Reading the messages of onnx.proto that hold a graph, in the wire format of protocol buffers: a sequence of keys
// (number << 3 | kind), each with a varint, 4 or 8 bytes, or a length and so many bytes.

#include "convert/onnx_file.h"

#include <cstring>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "convert/protobuf.h"

namespace thimble::convert {
namespace {

using Bytes = std::span<const std::byte>;

// Some ten times what an exported encoder of 24 layers has; they bound the work that a hostile file makes.
constexpr std::size_t kMaxNodes = 40000, kMaxTensors = 40000, kMaxNames = 200000, kMaxAttributes = 200000;
constexpr std::size_t kMaxNumbers = 1 << 20, kMaxRank = 8, kMaxDepth = 8, kMaxFunctions = 2000, kMaxNameBytes = 4096;

struct Function {
  std::vector<std::string_view> inputs, outputs;
  std::vector<OnnxNode> nodes;
  std::vector<OnnxAttribute> defaults;
};

}  // namespace

// Reads the messages; every function returns false when the file is malformed or beyond a limit.
class OnnxParser {
 public:
  OnnxParser(Bytes bytes, OnnxFile* file) : bytes_(bytes), file_(*file) {}

  bool Model() {
    ProtobufMessage message(bytes_);
    bool graph = false;
    for (ProtobufField field; message.Next(&field);) {
      if (field.kind != ProtobufField::kBytes) continue;
      if (field.number == 7) {
        if (graph || !Graph(field.bytes)) return false;
        graph = true;
      }
      if (field.number == 25 && !ReadFunction(field.bytes)) return false;
    }
    if (!message.ok() || !graph) return false;
    std::vector<OnnxNode> nodes;
    return Inline(std::move(nodes_), 0, &nodes) && (file_.nodes_ = std::move(nodes), true);
  }

 private:
  bool Graph(Bytes bytes) {
    ProtobufMessage message(bytes);
    for (ProtobufField field; message.Next(&field);) {
      if (field.kind != ProtobufField::kBytes) continue;
      if (field.number == 1 && !Node(field.bytes, &nodes_)) return false;
      if (field.number == 5 && !Tensor(field.bytes)) return false;
      if ((field.number == 11 || field.number == 12) &&
          !ValueInfo(field.bytes, field.number == 11 ? &file_.inputs_ : &file_.outputs_)) {
        return false;
      }
    }
    return message.ok();
  }

  bool ValueInfo(Bytes bytes, std::vector<std::string_view>* names) {
    ProtobufMessage message(bytes);
    std::string_view name;
    for (ProtobufField field; message.Next(&field);) {
      if (field.number == 1) name = field.text();
    }
    return message.ok() && AddName(name, names);
  }

  bool ReadFunction(Bytes bytes) {
    if (functions_.size() == kMaxFunctions) return false;
    Function function;
    std::string_view name, domain;
    ProtobufMessage message(bytes);
    for (ProtobufField field; message.Next(&field);) {
      if (field.kind != ProtobufField::kBytes) continue;
      if (field.number == 1) name = field.text();
      if (field.number == 10) domain = field.text();
      if (field.number == 4 && !AddName(field.text(), &function.inputs)) return false;
      if (field.number == 5 && !AddName(field.text(), &function.outputs)) return false;
      if (field.number == 7 && !Node(field.bytes, &function.nodes)) return false;
      if (field.number == 11 && !Attribute(field.bytes, &function.defaults)) return false;
    }
    return message.ok() && functions_.emplace(Key(domain, name), std::move(function)).second;
  }

  static std::string Key(std::string_view domain, std::string_view name) {
    return std::string(domain).append(1, '\0').append(name);
  }

  bool AddName(std::string_view name, std::vector<std::string_view>* names) {
    names->push_back(name);
    return ++names_ <= kMaxNames && name.size() <= kMaxNameBytes;
  }

  bool Node(Bytes bytes, std::vector<OnnxNode>* nodes) {
    if (++node_count_ > kMaxNodes) return false;
    OnnxNode node;
    ProtobufMessage message(bytes);
    for (ProtobufField field; message.Next(&field);) {
      if (field.kind != ProtobufField::kBytes) continue;
      if (field.number == 1 && !AddName(field.text(), &node.inputs)) return false;
      if (field.number == 2 && !AddName(field.text(), &node.outputs)) return false;
      if (field.number == 3) node.name = field.text();
      if (field.number == 4) node.op = field.text();
      if (field.number == 5 && !Attribute(field.bytes, &node.attributes)) return false;
      if (field.number == 7 && field.text() != "ai.onnx") node.domain = field.text();
    }
    const bool bounded = node.op.size() <= kMaxNameBytes && node.domain.size() <= kMaxNameBytes;
    nodes->push_back(std::move(node));
    return message.ok() && bounded;
  }

  bool Attribute(Bytes bytes, std::vector<OnnxAttribute>* attributes) {
    if (++attribute_count_ > kMaxAttributes) return false;
    OnnxAttribute attribute;
    Bytes tensor;
    bool has_tensor = false;
    ProtobufMessage message(bytes);
    for (ProtobufField field; message.Next(&field);) {
      if (field.number == 1) attribute.name = field.text();
      if (field.number == 2) attribute.real = field.number32;
      if (field.number == 3) attribute.integer = static_cast<std::int64_t>(field.value);
      if (field.number == 4) attribute.text = field.text();
      if (field.number == 5) tensor = field.bytes, has_tensor = true;
      if (field.number == 7 && !Reals(field, &attribute.reals)) return false;
      if (field.number == 8 && !Integers(field, &attribute.integers)) return false;
      if (field.number == 21) attribute.outer = field.text();
    }
    if (!message.ok()) return false;
    if (has_tensor) {
      attribute.tensor = static_cast<int>(file_.tensors_.size());
      if (!Tensor(tensor)) return false;
      file_.tensors_.back().name = {};  // It is no initializer.
    }
    attributes->push_back(std::move(attribute));
    return true;
  }

  template <typename T>
  bool Integers(const ProtobufField& field, std::vector<T>* numbers, std::size_t most = kMaxNumbers) {
    if (field.kind == ProtobufField::kVarint) numbers->push_back(static_cast<T>(field.value));
    ProtobufMessage packed(field.kind == ProtobufField::kBytes ? field.bytes : Bytes());
    for (std::uint64_t number; !packed.empty() && numbers->size() <= most;) {
      if (!packed.Varint(&number)) return false;
      numbers->push_back(static_cast<T>(number));
    }
    numbers_ += field.bytes.size() + 1;
    return numbers->size() <= most && numbers_ <= kMaxNumbers;
  }

  bool Reals(const ProtobufField& field, std::vector<float>* numbers) {
    if (field.kind == ProtobufField::kFixed) numbers->push_back(field.number32);
    for (std::size_t i = 0; i + 4 <= field.bytes.size() && field.kind == ProtobufField::kBytes; i += 4) {
      numbers->emplace_back();
      std::memcpy(&numbers->back(), &field.bytes[i], 4);
    }
    numbers_ += field.bytes.size() + 1;
    return numbers_ <= kMaxNumbers;
  }

  bool Tensor(Bytes bytes) {
    if (file_.tensors_.size() == kMaxTensors) return false;
    OnnxTensor tensor;
    bool filled = false;
    ProtobufMessage message(bytes);
    for (ProtobufField field; message.Next(&field);) {
      switch (field.number) {
        case 1:
          if (!Integers(field, &tensor.shape, kMaxRank)) return false;
          break;
        case 2:
          tensor.type = static_cast<OnnxType>(field.value);
          break;
        case 8:
          tensor.name = field.text();
          break;
        case 4:   // float_data
        case 5:   // int32_data
        case 7:   // int64_data
        case 9:   // raw_data
        case 10:  // double_data
        case 11:  // uint64_data
          if (field.kind != ProtobufField::kBytes || filled) return false;
          filled = true;
          tensor.data = field.bytes;
          tensor.varints = field.number == 5 || field.number == 7 || field.number == 11;
          break;
        case 13:
          if (!External(field.bytes, &tensor)) return false;
          break;
        case 14:
          tensor.external = field.value == 1;
          break;
        default:
          break;
      }
    }
    file_.tensors_.push_back(std::move(tensor));
    return message.ok();
  }

  bool External(Bytes bytes, OnnxTensor* tensor) {
    std::string_view key, value;
    ProtobufMessage message(bytes);
    for (ProtobufField field; message.Next(&field);) {
      if (field.number == 1) key = field.text();
      if (field.number == 2) value = field.text();
    }
    if (key == "location") tensor->location = value;
    if (key == "offset") tensor->offset = value;
    if (key == "length") tensor->length = value;
    return message.ok();
  }

  // Appends the nodes, those that call a function replaced by its own.
  bool Inline(std::vector<OnnxNode> nodes, std::size_t depth, std::vector<OnnxNode>* result) {
    if (depth > kMaxDepth) return false;
    for (OnnxNode& node : nodes) {
      const auto function = functions_.find(Key(node.domain, node.op));
      if (function == functions_.end()) {
        if (result->size() == kMaxNodes) return false;
        result->push_back(std::move(node));
      } else if (!Call(node, function->second, depth, result)) {
        return false;
      }
    }
    return true;
  }

  bool Call(const OnnxNode& call, const Function& function, std::size_t depth, std::vector<OnnxNode>* result) {
    if (call.inputs.size() > function.inputs.size() || call.outputs.size() > function.outputs.size()) return false;
    // What is copied counts as though the file held it.
    names_ += function.inputs.size() + function.outputs.size();
    node_count_ += function.nodes.size();
    for (const OnnxNode& node : function.nodes) {
      attribute_count_ += node.attributes.size();
      for (const OnnxAttribute& one : node.attributes) numbers_ += one.integers.size() + one.reals.size();
    }
    if (names_ > kMaxNames || node_count_ > kMaxNodes || attribute_count_ > kMaxAttributes || numbers_ > kMaxNumbers) {
      return false;
    }
    std::unordered_map<std::string_view, std::string_view> names = {{"", ""}};
    for (std::size_t i = 0; i < function.inputs.size(); ++i) {
      names[function.inputs[i]] = i < call.inputs.size() ? call.inputs[i] : "";
    }
    for (std::size_t i = 0; i < call.outputs.size(); ++i) {
      if (!call.outputs[i].empty()) names.emplace(function.outputs[i], call.outputs[i]);
    }
    const std::string prefix = "call " + std::to_string(++calls_) + "/";
    auto rename = [&](std::string_view& name) {
      auto found = names.find(name);
      if (found == names.end()) {
        file_.names_.push_back(prefix + std::string(name));
        found = names.emplace(name, file_.names_.back()).first;
      }
      name = found->second;
      return ++names_ <= kMaxNames;
    };
    std::vector<OnnxNode> nodes = function.nodes;
    for (OnnxNode& node : nodes) {
      for (std::string_view& name : node.inputs) {
        if (!rename(name)) return false;
      }
      for (std::string_view& name : node.outputs) {
        if (!rename(name)) return false;
      }
      for (OnnxAttribute& attribute : node.attributes) {
        if (attribute.outer.empty()) continue;
        const std::string_view name = attribute.name;
        const OnnxAttribute* given = nullptr;
        for (const OnnxAttribute& one : function.defaults) given = one.name == attribute.outer ? &one : given;
        for (const OnnxAttribute& one : call.attributes) given = one.name == attribute.outer ? &one : given;
        if (given != nullptr) attribute = *given;
        // An attribute that the call leaves out has its default, as though it were not there.
        attribute.name = given != nullptr ? name : std::string_view();
      }
    }
    return Inline(std::move(nodes), depth + 1, result);
  }

  const Bytes bytes_;
  OnnxFile& file_;
  std::vector<OnnxNode> nodes_;
  std::unordered_map<std::string, Function> functions_;
  std::size_t names_ = 0, node_count_ = 0, attribute_count_ = 0, numbers_ = 0, calls_ = 0;
};

Result<OnnxFile> OnnxFile::Open(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(FileMap map, FileMap::Open(path));
  OnnxFile file(std::move(map));
  if (!OnnxParser(file.map_.bytes(), &file).Model()) {
    return Error(Code::kCorrupt, path, ": not an ONNX file, or one cut short");
  }
  return file;
}

}  // namespace thimble::convert
