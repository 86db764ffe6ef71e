// Reading the messages of onnx.proto that hold a graph.

#include "convert/onnx_file.h"

#include <unordered_map>
#include <utility>

#include "base/error.h"

#define PROTOZERO_USE_VIEW std::string_view
#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>

namespace thimble::convert {
namespace {

using Message = protozero::pbf_reader;
using protozero::pbf_wire_type;

// Some ten times what an exported encoder of 24 layers has; they bound the work that a hostile file makes.
constexpr std::size_t kMaxNodes = 40000, kMaxTensors = 40000, kMaxNames = 200000, kMaxAttributes = 200000;
constexpr std::size_t kMaxNumbers = 1 << 20, kMaxRank = 8, kMaxDepth = 8, kMaxFunctions = 2000, kMaxNameBytes = 4096;

struct Function {
  std::vector<std::string_view> inputs, outputs;
  std::vector<OnnxNode> nodes;
  std::vector<OnnxAttribute> defaults;
};

// Kinds of fields, for switch: a message, a text or a packed list; an integer; a float. Fields of other kinds are
// skipped.
constexpr std::uint32_t Bytes(protozero::pbf_tag_type tag) {
  return protozero::tag_and_type(tag, pbf_wire_type::length_delimited);
}
constexpr std::uint32_t Integer(protozero::pbf_tag_type tag) {
  return protozero::tag_and_type(tag, pbf_wire_type::varint);
}
constexpr std::uint32_t Float(protozero::pbf_tag_type tag) {
  return protozero::tag_and_type(tag, pbf_wire_type::fixed32);
}

// protozero throws where bytes are no message; so does this where the file is beyond a limit.
void Require(bool within) {
  if (!within) throw protozero::exception();
}

}  // namespace

class OnnxParser {
 public:
  explicit OnnxParser(OnnxFile* file) : file_(*file) {}

  void Model(Message message) {
    bool graph = false;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(7):
          Require(!std::exchange(graph, true));
          Graph(message.get_message());
          break;
        case Bytes(25):
          ReadFunction(message.get_message());
          break;
        default:
          message.skip();
      }
    }
    Require(graph);
    Inline(std::move(nodes_), 0, &file_.nodes_);
  }

 private:
  void Graph(Message message) {
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1):
          Node(message.get_message(), &nodes_);
          break;
        case Bytes(5):
          Tensor(message.get_message());
          break;
        case Bytes(11):
          ValueInfo(message.get_message(), &file_.inputs_);
          break;
        case Bytes(12):
          ValueInfo(message.get_message(), &file_.outputs_);
          break;
        default:
          message.skip();
      }
    }
  }

  void ValueInfo(Message message, std::vector<std::string_view>* names) {
    std::string_view name;
    while (message.next()) {
      if (message.tag_and_type() == Bytes(1)) {
        name = message.get_view();
      } else {
        message.skip();
      }
    }
    AddName(name, names);
  }

  void ReadFunction(Message message) {
    Require(functions_.size() < kMaxFunctions);
    Function function;
    std::string_view name, domain;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1):
          name = message.get_view();
          break;
        case Bytes(4):
          AddName(message.get_view(), &function.inputs);
          break;
        case Bytes(5):
          AddName(message.get_view(), &function.outputs);
          break;
        case Bytes(7):
          Node(message.get_message(), &function.nodes);
          break;
        case Bytes(10):
          domain = message.get_view();
          break;
        case Bytes(11):
          Attribute(message.get_message(), &function.defaults);
          break;
        default:
          message.skip();
      }
    }
    Require(functions_.emplace(Key(domain, name), std::move(function)).second);
  }

  static std::string Key(std::string_view domain, std::string_view name) {
    return std::string(domain).append(1, '\0').append(name);
  }

  void AddName(std::string_view name, std::vector<std::string_view>* names) {
    names->push_back(name);
    Require(++names_ <= kMaxNames && name.size() <= kMaxNameBytes);
  }

  void Node(Message message, std::vector<OnnxNode>* nodes) {
    Require(++node_count_ <= kMaxNodes);
    OnnxNode& node = nodes->emplace_back();
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1):
          AddName(message.get_view(), &node.inputs);
          break;
        case Bytes(2):
          AddName(message.get_view(), &node.outputs);
          break;
        case Bytes(3):
          node.name = message.get_view();
          break;
        case Bytes(4):
          node.op = message.get_view();
          break;
        case Bytes(5):
          Attribute(message.get_message(), &node.attributes);
          break;
        case Bytes(7):
          node.domain = message.get_view();
          if (node.domain == "ai.onnx") node.domain = {};
          break;
        default:
          message.skip();
      }
    }
    Require(node.op.size() <= kMaxNameBytes && node.domain.size() <= kMaxNameBytes);
  }

  void Attribute(Message message, std::vector<OnnxAttribute>* attributes) {
    Require(++attribute_count_ <= kMaxAttributes);
    OnnxAttribute& attribute = attributes->emplace_back();
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1):
          attribute.name = message.get_view();
          break;
        case Float(2):
          attribute.real = message.get_float();
          break;
        case Integer(3):
          attribute.integer = message.get_int64();
          break;
        case Bytes(4):
          attribute.text = message.get_view();
          break;
        case Bytes(5):
          attribute.tensor = static_cast<int>(file_.tensors_.size());
          Tensor(message.get_message());
          file_.tensors_.back().name = {};  // It is no initializer.
          break;
        case Float(7):
          Require(++numbers_ <= kMaxNumbers);
          attribute.reals.push_back(message.get_float());
          break;
        case Bytes(7): {
          const auto reals = message.get_packed_float();
          Require((numbers_ += reals.size()) <= kMaxNumbers);
          attribute.reals.insert(attribute.reals.end(), reals.begin(), reals.end());
          break;
        }
        case Integer(8):
        case Bytes(8):
          Integers(message, &attribute.integers);
          break;
        case Bytes(21):
          attribute.outer = message.get_view();
          break;
        default:
          message.skip();
      }
    }
  }

  // One, or a packed list.
  template <typename T>
  void Integers(Message& message, std::vector<T>* numbers) {
    if (message.has_wire_type(pbf_wire_type::varint)) {
      Require(++numbers_ <= kMaxNumbers);
      numbers->push_back(static_cast<T>(message.get_uint64()));
      return;
    }
    for (const std::uint64_t number : message.get_packed_uint64()) {
      Require(++numbers_ <= kMaxNumbers);
      numbers->push_back(static_cast<T>(number));
    }
  }

  void Tensor(Message message) {
    Require(file_.tensors_.size() < kMaxTensors);
    OnnxTensor& tensor = file_.tensors_.emplace_back();
    bool filled = false;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Integer(1):
        case Bytes(1):
          Integers(message, &tensor.shape);
          Require(tensor.shape.size() <= kMaxRank);
          break;
        case Integer(2):
          tensor.type = static_cast<OnnxType>(message.get_int32());
          break;
        case Bytes(8):
          tensor.name = message.get_view();
          break;
        case Bytes(5):   // int32_data
        case Bytes(7):   // int64_data
        case Bytes(11):  // uint64_data
          tensor.varints = true;
          [[fallthrough]];
        case Bytes(4):   // float_data
        case Bytes(9):   // raw_data
        case Bytes(10):  // double_data
          Require(!std::exchange(filled, true));
          tensor.data = std::as_bytes(std::span(message.get_view()));
          break;
        case Bytes(13):
          External(message.get_message(), &tensor);
          break;
        case Integer(14):
          tensor.external = message.get_int32() == 1;
          break;
        default:
          message.skip();
      }
    }
  }

  void External(Message message, OnnxTensor* tensor) {
    std::string_view key, value;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case Bytes(1):
          key = message.get_view();
          break;
        case Bytes(2):
          value = message.get_view();
          break;
        default:
          message.skip();
      }
    }
    if (key == "location") tensor->location = value;
    if (key == "offset") tensor->offset = value;
    if (key == "length") tensor->length = value;
  }

  // Appends the nodes, those that call a function replaced by its own.
  void Inline(std::vector<OnnxNode> nodes, std::size_t depth, std::vector<OnnxNode>* result) {
    Require(depth <= kMaxDepth);
    for (OnnxNode& node : nodes) {
      const auto function = functions_.find(Key(node.domain, node.op));
      if (function == functions_.end()) {
        Require(result->size() < kMaxNodes);
        result->push_back(std::move(node));
      } else {
        Call(node, function->second, depth, result);
      }
    }
  }

  void Call(const OnnxNode& call, const Function& function, std::size_t depth, std::vector<OnnxNode>* result) {
    Require(call.inputs.size() <= function.inputs.size() && call.outputs.size() <= function.outputs.size());
    // What is copied counts as though the file held it.
    names_ += function.inputs.size() + function.outputs.size();
    node_count_ += function.nodes.size();
    for (const OnnxNode& node : function.nodes) {
      attribute_count_ += node.attributes.size();
      for (const OnnxAttribute& one : node.attributes) numbers_ += one.integers.size() + one.reals.size();
    }
    Require(names_ <= kMaxNames && node_count_ <= kMaxNodes && attribute_count_ <= kMaxAttributes &&
            numbers_ <= kMaxNumbers);
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
      Require(++names_ <= kMaxNames);
    };
    std::vector<OnnxNode> nodes = function.nodes;
    for (OnnxNode& node : nodes) {
      for (std::string_view& name : node.inputs) rename(name);
      for (std::string_view& name : node.outputs) rename(name);
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
    Inline(std::move(nodes), depth + 1, result);
  }

  OnnxFile& file_;
  std::vector<OnnxNode> nodes_;
  std::unordered_map<std::string, Function> functions_;
  std::size_t names_ = 0, node_count_ = 0, attribute_count_ = 0, numbers_ = 0, calls_ = 0;
};

Result<OnnxFile> OnnxFile::Open(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(base::FileMap map, base::FileMap::Open(path));
  OnnxFile file(std::move(map));
  const std::span<const std::byte> bytes = file.map_.bytes();
  try {
    OnnxParser(&file).Model(Message(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  } catch (const protozero::exception&) {
    return Error(Code::kCorrupt, path, ": not an ONNX file, or one cut short");
  }
  return file;
}

}  // namespace thimble::convert
