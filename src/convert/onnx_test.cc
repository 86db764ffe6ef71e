// Tests of reading ONNX files: every way of writing a graph down gives the weights that went in, what a graph computes
// is reported or refused, and broken files are refused.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "convert/job.h"
#include "convert/weight_file.h"
#include "kernels/half.h"
#include "tests/support/test_model.h"

namespace thimble::convert {
namespace {

using test::TemporaryFolder;
using Shape = std::vector<std::uint64_t>;
using Floats = std::vector<float>;
using Names = std::vector<std::string>;

constexpr std::uint64_t kHidden = 8, kHeads = 2, kInner = 12, kWords = 11, kPositions = 9;

// The wire format of protocol buffers, as far as it is needed.
std::string Varint(std::uint64_t value) {
  std::string text;
  for (; value > 127; value >>= 7) text += static_cast<char>((value & 127) | 128);
  return text + static_cast<char>(value);
}
std::string IntegerField(int number, std::uint64_t value) {
  return Varint(static_cast<std::uint64_t>(number) << 3) + Varint(value);
}
std::string TextField(int number, std::string_view bytes) {
  return Varint(static_cast<std::uint64_t>(number) << 3 | 2) + Varint(bytes.size()) + std::string(bytes);
}
std::string FloatField(int number, float value) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &value, 4);
  return Varint(static_cast<std::uint64_t>(number) << 3 | 5) + bytes;
}

// Attributes of nodes.
std::string IntegerAttribute(std::string_view name, std::int64_t value) {
  return TextField(5, TextField(1, name) + IntegerField(3, static_cast<std::uint64_t>(value)));
}
std::string FloatAttribute(std::string_view name, float value) {
  return TextField(5, TextField(1, name) + FloatField(2, value));
}
std::string ListAttribute(std::string_view name, const std::vector<std::int64_t>& values) {
  std::string list;
  for (std::int64_t value : values) list += Varint(static_cast<std::uint64_t>(value));
  return TextField(5, TextField(1, name) + TextField(8, list));
}

template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// How an exporter writes things down, and what the model computes.
struct Style {
  std::string name = {};
  bool norm_operator = false;   // LayerNormalization, else its parts.
  bool gemm = false;            // Gemm with [outputs, inputs] between reshapes, else MatMul and Add.
  bool bias_first = false;      // Add(bias, product).
  bool constant_nodes = false;  // Weights in Constant nodes, else initializers.
  bool packed_shapes = false;   // The lengths of a tensor as one field.
  bool half = false;            // float16, behind a Cast.
  bool fused = false;           // Operators of onnxruntime for the sum and norm, and for bias and GELU.
  bool folded_types = false;    // No token_type_ids: their row 0 is added as a constant.
  bool external = false;        // Weights in a file beside the model.
  bool function = false;        // GELU as a local function.
  enum { kNone, kPerTensor, kPerChannel, kBlocks } quantized = kNone;  // Of the matrices.
  std::array<int, 3> order = {0, 1, 2};                                // Of queries, keys and values.
  std::string activation = "gelu";
  float epsilon = 1e-12f, scale = 0;  // The scale of scores, 0 for the usual one.
  std::int64_t softmax_axis = -1, first_position = 0, token_type = 0;
  bool mask = true;
  // MPNet, whose positions begin behind the pad token, and whose attention has a bias by buckets of distances, the last
  // of which ends at `distance`; with `biased` false it has none.
  bool mpnet = false, biased = true;
  float distance = 128;
  std::string output = "last_hidden_state", head_output = "sentence_embedding";
};

// Writes graphs, and remembers what their weights are.
class Exporter {
 public:
  explicit Exporter(Style style) : style_(std::move(style)) {}

  std::map<std::string, Floats> expected;  // Weights as they are to be read.
  std::string external;                    // The contents of the file beside the model.

  // A graph of two layers; `head` makes another output of the last hidden state.
  std::string Run(const std::function<std::string(Exporter&, std::string)>& head = nullptr) {
    for (const char* input : {"input_ids", "attention_mask", "token_type_ids"}) {
      if ((style_.folded_types || style_.mpnet) && std::string_view(input) == "token_type_ids") continue;
      inputs_ += TextField(11, TextField(1, input));
    }
    std::string x = Node("Gather", {Weight("embeddings.word_embeddings.weight", {kWords, kHidden}), "input_ids"});
    const std::string type_name = "embeddings.token_type_embeddings.weight";
    if (style_.mpnet) {
      // There are none.
    } else if (style_.folded_types) {
      x = Node("Add", {x, Weight(type_name, {kHidden})});
    } else {
      const std::string types = Weight(type_name, {2, kHidden});
      const std::string ids =
          style_.token_type == 0 ? "token_type_ids" : Node("Add", {"token_type_ids", Integers({1})});
      x = Node("Add", {x, Node("Gather", {types, Node("Cast", {ids}, IntegerAttribute("to", 7))})});
    }
    const std::string length = Node("Gather", {Node("Shape", {"input_ids"}), Integers({1})});
    std::vector<std::int64_t> places(kPositions);
    for (std::size_t i = 0; i < kPositions; ++i) places[i] = static_cast<std::int64_t>(i) + style_.first_position;
    const std::string slice =
        style_.mpnet ? PaddedPositions() : Node("Slice", {Integers(places), Integers({0}), length});
    x = Node("Add",
             {x, Node("Gather", {Weight("embeddings.position_embeddings.weight", {kPositions, kHidden}), slice})});
    x = Norm(x, "", "embeddings.LayerNorm");
    const std::string keep =
        Node("Cast", {Node("Unsqueeze", {"attention_mask", Integers({1, 2})})}, IntegerAttribute("to", 1));
    mask_ = Node("Mul", {Node("Sub", {Scalar(1), keep}), Scalar(-3.4e38f)});
    if (style_.mpnet && style_.biased) bias_ = Bias(x);
    for (std::size_t i = 0; i < 2; ++i) x = Layer(x, "encoder.layer." + std::to_string(i) + ".");
    hidden_ = Node("Identity", {x}, "", style_.output);
    outputs_ += TextField(12, TextField(1, style_.output));
    if (head) {
      Node("Identity", {head(*this, hidden_)}, "", style_.head_output);
      outputs_ += TextField(12, TextField(1, style_.head_output));
    }
    return IntegerField(1, 8) + TextField(7, nodes_ + inputs_ + outputs_ + tensors_) + functions_;
  }

  std::string Node(const std::string& op, const Names& inputs, const std::string& attributes = "",
                   std::string output = "") {
    if (output.empty()) output = Name();
    std::string node;
    for (const std::string& input : inputs) node += TextField(1, input);
    nodes_ +=
        TextField(1, node + TextField(2, output) + TextField(4, op) + TextField(3, "node " + output) + attributes);
    return output;
  }
  Names NodeOf3(const std::string& op, const std::string& input) {
    const Names outputs = {Name(), Name(), Name()};
    std::string node = TextField(1, input) + TextField(4, op);
    for (const std::string& output : outputs) node += TextField(2, output);
    nodes_ += TextField(1, node);
    return outputs;
  }
  std::string Name() { return "t" + std::to_string(++count_); }

  std::string Integers(const std::vector<std::int64_t>& values) { return Tensor({values.size()}, 7, BytesOf(values)); }
  std::string Scalar(float value) { return Tensor({}, 1, BytesOf(Floats{value})); }

  std::string Tensor(const Shape& shape, int type, const std::string& data, bool weight = false) {
    std::string proto, packed;
    for (std::uint64_t size : shape) {
      packed += Varint(size);
      if (!style_.packed_shapes) proto += IntegerField(1, size);
    }
    if (style_.packed_shapes) proto += TextField(1, packed);
    proto += IntegerField(2, static_cast<std::uint64_t>(type));
    if (weight && style_.external) {
      const std::pair<const char*, std::string> entries[] = {{"location", "model.onnx.data"},
                                                             {"offset", std::to_string(external.size())},
                                                             {"length", std::to_string(data.size())}};
      for (const auto& [key, value] : entries) proto += TextField(13, TextField(1, key) + TextField(2, value));
      proto += IntegerField(14, 1);
      external += data;
    } else {
      proto += TextField(9, data);
    }
    if (weight && style_.constant_nodes) {
      return Node("Constant", {}, TextField(5, TextField(1, "value") + TextField(5, proto)));
    }
    const std::string name = Name();
    tensors_ += TextField(5, proto + TextField(8, name));
    return name;
  }

  Floats Random(std::uint64_t count) {
    Floats values(count);
    for (float& value : values) value = static_cast<float>(random_() % 2001) / 1000.0f - 1;
    if (style_.half) {
      for (float& value : values) value = kernels::HalfToFloat(kernels::FloatToHalf(value));
    }
    return values;
  }

  static Floats Turned(const Floats& values, std::uint64_t rows, std::uint64_t columns) {
    Floats turned(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) turned[i % columns * rows + i / columns] = values[i];
    return turned;
  }

  std::string Weight(const std::string& name, const Shape& shape, bool transposed = false) {
    const std::uint64_t columns = shape.size() == 2 ? shape[1] : 1;
    const Floats values = expected[name] = Random(shape[0] * columns);
    const Floats stored = transposed ? Turned(values, shape[0], columns) : values;
    const Shape stored_shape = transposed ? Shape{shape[1], shape[0]} : shape;
    if (!style_.half) return Tensor(stored_shape, 1, BytesOf(stored), true);
    std::vector<std::uint16_t> halves;
    for (float value : stored) halves.push_back(kernels::FloatToHalf(value));
    return Node("Cast", {Tensor(stored_shape, 10, BytesOf(halves), true)}, IntegerAttribute("to", 1));
  }

  std::string Linear(const std::string& x, const std::string& name, std::uint64_t outputs, std::uint64_t inputs,
                     bool bias = true) {
    const std::string product = Product(x, name + ".weight", outputs, inputs);
    if (style_.gemm || !bias) return product;
    const std::string vector = Weight(name + ".bias", {outputs});
    return style_.bias_first ? Node("Add", {vector, product}) : Node("Add", {product, vector});
  }

  std::string Product(const std::string& x, const std::string& name, std::uint64_t outputs, std::uint64_t inputs) {
    if (style_.gemm) {
      const std::string rows = Node("Reshape", {x, Integers({-1, static_cast<std::int64_t>(inputs)})});
      const std::string bias = name.substr(0, name.size() - 6) + "bias";
      const std::string y =
          Node("Gemm", {rows, Weight(name, {outputs, inputs}), Weight(bias, {outputs})}, IntegerAttribute("transB", 1));
      return Node("Reshape", {y, Integers({2, -1, static_cast<std::int64_t>(outputs)})});
    }
    if (style_.quantized == Style::kNone) return Node("MatMul", {x, Weight(name, {outputs, inputs}, true)});
    if (style_.quantized == Style::kBlocks) return BlockProduct(x, name, outputs, inputs);
    const bool channels = style_.quantized == Style::kPerChannel;
    const std::uint64_t scales = channels ? outputs : 1;
    Floats scale(scales);
    std::vector<std::uint8_t> zero(scales), integers(outputs * inputs);
    for (std::size_t i = 0; i < scales; ++i) {
      scale[i] = 0.01f + 0.001f * static_cast<float>(i);
      zero[i] = static_cast<std::uint8_t>(channels ? 0 : 120 + i);
    }
    Floats& values = expected[name];
    values.resize(outputs * inputs);
    for (std::size_t i = 0; i < integers.size(); ++i) {  // Stored as [inputs][outputs].
      const std::size_t output = i % outputs, channel = channels ? output : 0;
      integers[i] = static_cast<std::uint8_t>(random_());
      const int value = channels ? static_cast<std::int8_t>(integers[i]) : integers[i] - zero[0];
      values[output * inputs + i / outputs] = static_cast<float>(value) * scale[channel];
    }
    const int type = channels ? 3 : 2;
    const std::string weight = Tensor({inputs, outputs}, type, BytesOf(integers), true);
    const std::string zeros = Tensor(channels ? Shape{scales} : Shape(), type, BytesOf(zero));
    const std::string factor = Tensor(channels ? Shape{scales} : Shape(), 1, BytesOf(scale));
    const Names quantized = NodeOf3("DynamicQuantizeLinear", x);
    const std::string sums = Node("MatMulInteger", {quantized[0], weight, quantized[2], zeros});
    return Node("Mul", {Node("Cast", {sums}, IntegerAttribute("to", 1)), Node("Mul", {quantized[1], factor})});
  }

  // Of 4 bits in blocks of 16 inputs, the last of which is not full.
  std::string BlockProduct(const std::string& x, const std::string& name, std::uint64_t outputs, std::uint64_t inputs) {
    const std::uint64_t blocks = (inputs + 15) / 16, zero_bytes = (blocks + 1) / 2;
    std::vector<std::uint8_t> packed(outputs * blocks * 8), zeros(outputs * zero_bytes);
    Floats scales(outputs * blocks), &values = expected[name];
    for (std::uint8_t& one : packed) one = static_cast<std::uint8_t>(random_());
    for (std::uint8_t& one : zeros) one = static_cast<std::uint8_t>(random_());
    for (float& one : scales) one = static_cast<float>(1 + random_() % 100) / 256;
    for (std::uint64_t row = 0; row < outputs; ++row) {
      for (std::uint64_t i = 0; i < inputs; ++i) {
        const std::uint64_t block = i / 16, at = (row * blocks + block) * 16 + i % 16;
        const int integer = packed[at / 2] >> (at % 2 * 4) & 15;
        const int zero = zeros[row * zero_bytes + block / 2] >> (block % 2 * 4) & 15;
        values.push_back(static_cast<float>(integer - zero) * scales[row * blocks + block]);
      }
    }
    return Node("MatMulNBits",
                {x, Tensor({outputs, blocks, 8}, 2, BytesOf(packed), true),
                 Tensor({outputs * blocks}, 1, BytesOf(scales)), Tensor({outputs * zero_bytes}, 2, BytesOf(zeros))},
                TextField(7, "com.microsoft") + IntegerAttribute("K", static_cast<std::int64_t>(inputs)) +
                    IntegerAttribute("N", static_cast<std::int64_t>(outputs)) + IntegerAttribute("bits", 4) +
                    IntegerAttribute("block_size", 16));
  }

  // Of x, or of x + y.
  std::string Norm(const std::string& x, const std::string& y, const std::string& name, std::uint64_t width = kHidden) {
    const std::string scale = Weight(name + ".weight", {width}), bias = Weight(name + ".bias", {width});
    if (style_.fused && !y.empty()) {
      return Node("SkipLayerNormalization", {x, y, scale, bias},
                  TextField(7, "com.microsoft") + FloatAttribute("epsilon", style_.epsilon));
    }
    const std::string sum = y.empty() ? x : Node("Add", {x, y});
    if (style_.norm_operator || style_.fused) {
      return Node("LayerNormalization", {sum, scale, bias}, FloatAttribute("epsilon", style_.epsilon));
    }
    const std::string last = ListAttribute("axes", {-1});
    const std::string difference = Node("Sub", {sum, Node("ReduceMean", {sum}, last)});
    const std::string variance = Node("ReduceMean", {Node("Pow", {difference, Scalar(2)})}, last);
    const std::string root = Node("Sqrt", {Node("Add", {variance, Scalar(style_.epsilon)})});
    return Node("Add", {Node("Mul", {Node("Div", {difference, root}), scale}), bias});
  }

  std::string Activation(const std::string& x) {
    if (style_.activation == "gelu") {
      if (style_.function) return Function(x);
      return Gelu(x);
    }
    if (style_.activation == "gelu_new") {
      const std::string cube = Node("Mul", {Node("Pow", {x, Scalar(3)}), Scalar(0.044715f)});
      const std::string inner = Node("Mul", {Node("Add", {x, cube}), Scalar(0.79788456f)});
      return Node("Mul", {Node("Mul", {x, Scalar(0.5f)}), Node("Add", {Node("Tanh", {inner}), Scalar(1)})});
    }
    if (style_.activation == "silu") return Node("Mul", {x, Node("Sigmoid", {x})});
    if (style_.activation == "quick_gelu") return Node("Mul", {x, Node("Sigmoid", {Node("Mul", {x, Scalar(1.702f)})})});
    return Node(style_.activation == "relu" ? "Relu" : style_.activation, {x});
  }

  std::string Gelu(const std::string& x) {
    const std::string erf = Node("Add", {Node("Erf", {Node("Div", {x, Scalar(std::sqrt(2.0f))})}), Scalar(1)});
    return Node("Mul", {Node("Mul", {x, erf}), Scalar(0.5f)});
  }

  // A call of a function whose own names are some of those around it.
  std::string Function(const std::string& x) {
    auto node = [](const char* op, const char* a, const char* b, const char* output) {
      return TextField(7, TextField(1, a) + (*b ? TextField(1, b) : "") + TextField(2, output) + TextField(4, op));
    };
    std::string inputs;
    for (const char* name : {"t1", "root", "one", "half"}) inputs += TextField(4, name);
    functions_ = TextField(25, TextField(1, "Act") + TextField(10, "pkg.test") + inputs + TextField(5, "t6") +
                                   node("Div", "t1", "root", "t2") + node("Erf", "t2", "", "t3") +
                                   node("Add", "t3", "one", "t4") + node("Mul", "t4", "t1", "t5") +
                                   node("Mul", "t5", "half", "t6"));
    return Node("Act", {x, Scalar(std::sqrt(2.0f)), Scalar(1), Scalar(0.5f)}, TextField(7, "pkg.test"));
  }

  std::string Integer(std::int64_t value) { return Tensor({}, 7, BytesOf(std::vector<std::int64_t>{value})); }

  // Those of the pad token, id 1, are 1.
  std::string PaddedPositions() {
    const std::string counts =
        Node("Cast", {Node("Not", {Node("Equal", {"input_ids", Integer(1)})})}, IntegerAttribute("to", 7));
    const std::string places = Node("Mul", {Node("CumSum", {counts, Integer(1)}), counts});
    return Node("Add", {places, Integer(1)});
  }

  // As transformers computes it.
  std::string Bias(const std::string& x) {
    const std::string length = Node("Gather", {Node("Shape", {x}), Integer(1)});
    const std::string range = Node("Range", {Integer(0), length, Integer(1)});
    const std::string relative =
        Node("Sub", {Node("Unsqueeze", {range, Integers({0})}), Node("Unsqueeze", {range, Integers({1})})});
    const std::string n = Node("Neg", {relative}), size = Node("Abs", {n});
    const std::string behind =
        Node("Mul", {Node("Cast", {Node("Less", {n, Integer(0)})}, IntegerAttribute("to", 7)), Integer(16)});
    const std::string ratio = Node("Log", {Node("Div", {Node("Cast", {size}, IntegerAttribute("to", 1)), Scalar(8)})});
    const std::string steps = Node("Mul", {Node("Div", {ratio, Scalar(std::log(style_.distance / 8))}), Scalar(8)});
    const std::string far = Node("Add", {Node("Cast", {steps}, IntegerAttribute("to", 7)), Integer(8)});
    const std::string bucket = Node("Where", {Node("Less", {size, Integer(8)}), size, Node("Min", {far, Integer(15)})});
    const std::string table = Weight("encoder.relative_attention_bias.weight", {32, kHeads});
    const std::string picked = Node("Gather", {table, Node("Add", {behind, bucket})});
    return Node("Unsqueeze", {Node("Transpose", {picked}, ListAttribute("perm", {2, 0, 1})), Integers({0})});
  }

  std::string Layer(const std::string& x, const std::string& name) {
    const std::string attention = name + (style_.mpnet ? "attention.attn." : "attention.self.");
    const std::array<const char*, 3> names =
        style_.mpnet ? std::array{"q", "k", "v"} : std::array{"query", "key", "value"};
    const auto heads = static_cast<std::int64_t>(kHeads), hidden = static_cast<std::int64_t>(kHidden);
    std::array<std::string, 3> parts;
    for (int part : style_.order) {
      const std::string linear = Linear(x, attention + names[part], kHidden, kHidden);
      const std::string split = Node("Reshape", {linear, Integers({0, 0, heads, hidden / heads})});
      parts[part] = Node("Transpose", {split},
                         ListAttribute("perm", part == 1 ? std::vector<std::int64_t>{0, 2, 3, 1}
                                                         : std::vector<std::int64_t>{0, 2, 1, 3}));
    }
    constexpr std::uint64_t kWidth = kHidden / kHeads;
    const float usual = std::sqrt(static_cast<float>(kWidth));
    const float scale = style_.scale == 0 ? usual : 1 / style_.scale;
    std::string scores = Node("Div", {Node("MatMul", {parts[0], parts[1]}), Scalar(scale)});
    if (!bias_.empty()) scores = Node("Add", {scores, bias_});
    if (style_.mask) scores = Node("Add", {scores, mask_});
    std::string y =
        Node("MatMul", {Node("Softmax", {scores}, IntegerAttribute("axis", style_.softmax_axis)), parts[2]});
    y = Node("Transpose", {y}, ListAttribute("perm", {0, 2, 1, 3}));
    y = Node("Reshape", {y, Integers({0, 0, hidden})});
    y = Linear(y, style_.mpnet ? attention + "o" : name + "attention.output.dense", kHidden, kHidden);
    const std::string middle = Norm(y, x, name + (style_.mpnet ? "attention.LayerNorm" : "attention.output.LayerNorm"));
    const std::string inner = name + "intermediate.dense";
    if (style_.fused) {
      const std::string product = Product(middle, inner + ".weight", kInner, kHidden);
      y = Node("BiasGelu", {product, Weight(inner + ".bias", {kInner})}, TextField(7, "com.microsoft"));
    } else {
      y = Activation(Linear(middle, inner, kInner, kHidden));
    }
    y = Linear(y, name + "output.dense", kHidden, kInner);
    return Norm(y, middle, name + "output.LayerNorm");
  }

  // The mean over the mask.
  std::string Mean(const std::string& tokens) {
    const std::string mask =
        Node("Cast", {Node("Unsqueeze", {"attention_mask", Integers({-1})})}, IntegerAttribute("to", 1));
    const std::string wide = Node("Expand", {mask, Node("Shape", {tokens})});
    const std::string no_dims = IntegerAttribute("keepdims", 0);
    const std::string sum = Node("ReduceSum", {Node("Mul", {tokens, wide}), Integers({1})}, no_dims);
    return Node("Div", {sum, Node("Clip", {Node("ReduceSum", {wide, Integers({1})}, no_dims), Scalar(1e-9f)})});
  }
  std::string Cls(const std::string& tokens) {
    return Node("Gather", {tokens, Tensor({}, 7, BytesOf(std::vector<std::int64_t>{0}))}, IntegerAttribute("axis", 1));
  }
  std::string Unit(const std::string& x) {
    const std::string norm = Node("ReduceL2", {x, Integers({-1})});
    return Node("Div", {x, Node("Expand", {Node("Clip", {norm, Scalar(1e-12f)}), Node("Shape", {x})})});
  }

 private:
  const Style style_;
  std::minstd_rand random_{5};
  std::string nodes_, tensors_, inputs_, outputs_, functions_, mask_, bias_, hidden_;
  int count_ = 0;
};

class OnnxTest : public testing::Test {
 protected:
  Result<OnnxModel> Open(const std::string& graph, const std::string& external = "", bool mpnet = false) {
    EXPECT_TRUE(test::WriteFile(path_, graph).ok());
    if (!external.empty()) {
      EXPECT_TRUE(test::WriteFile(folder_.File("model.onnx.data"), external).ok());
    }
    return mpnet ? OpenOnnx(path_, *FindFamily("mpnet"), 1) : OpenOnnx(path_, *FindFamily("bert"));
  }
  Status Failure(const std::string& graph, const std::string& external = "", bool mpnet = false) {
    auto model = Open(graph, external, mpnet);
    return model.ok() ? Status() : model.status();
  }
  Status FailureOf(const Style& style) { return Failure(Exporter(style).Run(), "", style.mpnet); }

  using Head = std::function<std::string(Exporter&, std::string)>;
  Result<OnnxModel> OpenHead(const Head& head, Exporter* exporter) { return Open(exporter->Run(head)); }
  void ExpectRefusedHead(const Head& head, std::string_view part) {
    Exporter exporter(Style{.output = "token_embeddings"});
    auto model = OpenHead(head, &exporter);
    ASSERT_FALSE(model.ok()) << part;
    EXPECT_EQ(model.status().code(), Code::kUnsupported);
    EXPECT_NE(model.status().message().find(part), std::string::npos) << model.status().message();
  }

  static void ExpectWeights(OnnxModel& model, const std::map<std::string, Floats>& expected) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < model.weights->tensors().size(); ++i) {
      const WeightTensor& tensor = model.weights->tensors()[i];
      const auto wanted = expected.find(tensor.name);
      ASSERT_NE(wanted, expected.end()) << tensor.name;
      std::uint64_t elements = 1;
      for (std::uint64_t size : tensor.shape) elements *= size;
      ASSERT_EQ(elements, wanted->second.size()) << tensor.name;
      Floats values(elements);
      // In two parts, the second one from the middle of a row.
      const std::size_t first = elements / 2 - 1;
      ASSERT_TRUE(model.weights->Read(i, 0, std::span(values).first(first)).ok());
      ASSERT_TRUE(model.weights->Read(i, first, std::span(values).subspan(first)).ok());
      EXPECT_EQ(values, wanted->second) << tensor.name;
      ++found;
    }
    EXPECT_EQ(found, expected.size());
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.File("model.onnx");
};

class OnnxStyles : public OnnxTest, public testing::WithParamInterface<Style> {};

TEST_P(OnnxStyles, GiveTheWeightsThatWentIn) {
  const Style& style = GetParam();
  Exporter exporter(style);
  const std::string graph = exporter.Run();
  auto model = Open(graph, exporter.external, style.mpnet);
  ASSERT_TRUE(model.ok()) << model.status().message();
  ExpectWeights(*model, exporter.expected);
  EXPECT_EQ(model->activation, style.activation);
  EXPECT_EQ(model->heads, kHeads);
  EXPECT_FALSE(model->head.has_value());
  if (model->epsilon) {
    EXPECT_NEAR(*model->epsilon, style.epsilon, 1e-3 * style.epsilon);
  } else {
    EXPECT_TRUE(style.half);
  }
  EXPECT_EQ(model->note.empty(), style.quantized == Style::kNone) << model->note;
}

INSTANTIATE_TEST_SUITE_P(
    All, OnnxStyles,
    testing::Values(
        Style{.name = "Plain"}, Style{.name = "BiasFirst", .bias_first = true, .order = {1, 2, 0}},
        Style{
            .name = "NormOperator", .norm_operator = true, .packed_shapes = true, .order = {2, 1, 0}, .epsilon = 1e-5f},
        Style{.name = "Gemm", .gemm = true, .order = {0, 2, 1}},
        Style{.name = "ConstantNodes", .constant_nodes = true, .packed_shapes = true},
        Style{.name = "Half", .norm_operator = true, .half = true}, Style{.name = "HalfParts", .half = true},
        Style{.name = "Fused", .fused = true, .epsilon = 1e-6f}, Style{.name = "FoldedTypes", .folded_types = true},
        Style{.name = "ExternalData", .external = true}, Style{.name = "LocalFunction", .function = true},
        Style{.name = "PerTensor", .quantized = Style::kPerTensor},
        Style{.name = "PerChannel", .quantized = Style::kPerChannel},
        Style{.name = "Blocks", .quantized = Style::kBlocks},
        Style{.name = "QuantizedOutside", .external = true, .quantized = Style::kPerChannel},
        Style{.name = "GeluNew", .activation = "gelu_new"}, Style{.name = "Relu", .activation = "relu"},
        Style{.name = "Silu", .activation = "silu"}, Style{.name = "QuickGelu", .activation = "quick_gelu"},
        Style{.name = "Mpnet", .mpnet = true},
        Style{.name = "MpnetGemm", .norm_operator = true, .gemm = true, .order = {2, 0, 1}, .mpnet = true},
        Style{.name = "MpnetHalf", .half = true, .mpnet = true}, Style{.name = "LargeEpsilon", .epsilon = 1e-3f},
        Style{.name = "OtherOutput", .output = "output_0"}),
    [](const auto& style) { return style.param.name; });

TEST_F(OnnxTest, RefusesWhatComputesSomethingElse) {
  const std::pair<Style, const char*> cases[] = {
      {{.mpnet = true, .biased = false}, "a bias picked from a table of 32 rows"},
      {{.mpnet = true, .distance = 120}, "other buckets of distances"},
      {{.scale = 0.3f}, "another attention"},
      {{.softmax_axis = 2}, "another attention"},
      {{.mask = false}, "another attention"},
      {{.first_position = 2}, "nor positions from 0 on"},
      {{.token_type = 1}, "those of one token type"},
      {{.activation = "Exp"}, "the activation is none of"},
      {{.activation = "Mystery"}, "(Mystery)"},
  };
  for (const auto& [style, part] : cases) {
    const Status status = FailureOf(style);
    EXPECT_EQ(status.code(), Code::kUnsupported) << part;
    EXPECT_NE(status.message().find(part), std::string::npos) << part << ": " << status.message();
  }
  const std::string graph = Exporter({}).Run();
  auto with = [&](std::string_view from, std::string_view to) {
    std::string changed = graph;
    changed.replace(changed.rfind(from), from.size(), to);
    return Failure(changed);
  };
  EXPECT_NE(with("last_hidden_state", "lost_hidden_state").message().find("output"), std::string::npos);
  for (const char* bytes : {"", "x", "not an ONNX file"}) EXPECT_EQ(Failure(bytes).code(), Code::kCorrupt);
  EXPECT_EQ(Failure(TextField(7, "")).code(), Code::kUnsupported);
}

TEST_F(OnnxTest, OnlyAnApproximatedGeluMayDifferFromConfigJson) {
  using kernels::Activation;
  std::vector<std::string> notes;
  const auto follow = [&](const std::string& graph, Config* config) {
    Exporter exporter({.activation = graph});
    auto model = Open(exporter.Run());
    EXPECT_TRUE(model.ok()) << model.status().message();
    return FollowGraph(*model, "model.onnx", config, &notes);
  };
  const auto config = [](const std::string& name, Activation activation) {
    Config result;
    result.family = FindFamily("bert");
    result.hidden_act = name;
    result.encoder.activation = activation;
    result.encoder.heads = kHeads;
    result.encoder.norm_epsilon = Style().epsilon;
    return result;
  };
  Config same = config("gelu_new", Activation::kGeluTanh);
  EXPECT_TRUE(follow("gelu_new", &same).ok());
  EXPECT_TRUE(notes.empty());
  Config exact = config("gelu", Activation::kGelu);
  EXPECT_TRUE(follow("gelu_new", &exact).ok());
  EXPECT_EQ(exact.encoder.activation, Activation::kGeluTanh);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("approximation"), std::string::npos) << notes[0];
  for (auto [graph, name, activation] : {std::tuple("gelu", "gelu_new", Activation::kGeluTanh),
                                         {"relu", "gelu", Activation::kGelu},
                                         {"gelu_new", "quick_gelu", Activation::kQuickGelu}}) {
    Config other = config(name, activation);
    const Status status = follow(graph, &other);
    EXPECT_EQ(status.code(), Code::kCorrupt) << graph << " and " << name;
    EXPECT_NE(status.message().find(std::string("the graph has hidden_act ") + graph), std::string::npos)
        << status.message();
  }
}

TEST_F(OnnxTest, ReadsPoolingDenseAndNormalization) {
  Exporter exporter(Style{.output = "token_embeddings"});
  auto model = OpenHead(
      [](Exporter& e, const std::string& tokens) {
        const std::string pooled = e.Node("Concat", {e.Cls(tokens), e.Mean(tokens)}, IntegerAttribute("axis", 1));
        std::string x = e.Node("Tanh", {e.Linear(pooled, "head.0.linear", 5, 2 * kHidden)});
        x = e.Norm(x, "", "head.1.norm", 5);
        const std::string y = e.Gelu(e.Linear(x, "head.2.linear", 3, 5, false));
        return e.Unit(e.Node("Add", {y, e.Product(x, "head.2.residual.weight", 3, 5)}));
      },
      &exporter);
  // The norm's epsilon is not that of a module.
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.status().message().find("another epsilon"), std::string::npos) << model.status().message();

  Exporter right(Style{.epsilon = 1e-5f, .output = "token_embeddings"});
  model = OpenHead(
      [](Exporter& e, const std::string& tokens) {
        const std::string pooled = e.Node("Concat", {e.Cls(tokens), e.Mean(tokens)}, IntegerAttribute("axis", 1));
        std::string x = e.Node("Tanh", {e.Linear(pooled, "head.0.linear", 5, 2 * kHidden)});
        x = e.Norm(x, "", "head.1.norm", 5);
        x = e.Gelu(e.Linear(x, "head.2.linear", 3, 5, false));
        x = e.Node("Add", {e.Node("Relu", {e.Linear(x, "head.3.linear", 3, 3)}), x});
        return e.Unit(x);
      },
      &right);
  ASSERT_TRUE(model.ok()) << model.status().message();
  ExpectWeights(*model, right.expected);
  using enum model::HeadModule::Kind;
  const model::HeadSpec expected = {{Pooling::kCls, Pooling::kMean},
                                    true,
                                    {{kDense, 16, 5, kernels::Activation::kTanh, true, false},
                                     {kLayerNorm, 5, 5},
                                     {kDense, 5, 3, kernels::Activation::kGelu, false, false},
                                     {kDense, 3, 3, kernels::Activation::kRelu, true, true},
                                     {kNormalize, 3, 3}}};
  ASSERT_TRUE(model->head.has_value());
  EXPECT_TRUE(*model->head == expected);

  Exporter residual(Style{.output = "token_embeddings"});
  model = OpenHead(
      [](Exporter& e, const std::string& tokens) {
        const std::string x = e.Mean(tokens);
        const std::string y = e.Node("Tanh", {e.Linear(x, "head.0.linear", 3, kHidden)});
        return e.Node("Add", {y, e.Product(x, "head.0.residual.weight", 3, kHidden)});
      },
      &residual);
  ASSERT_TRUE(model.ok()) << model.status().message();
  ExpectWeights(*model, residual.expected);
  EXPECT_TRUE(model->head->modules ==
              (std::vector<model::HeadModule>{{kDense, kHidden, 3, kernels::Activation::kTanh, true, true}}));
}

TEST_F(OnnxTest, RefusesHeadsThatItDoesNotKnow) {
  ExpectRefusedHead([](Exporter& e, const std::string& x) { return e.Node("Mystery", {e.Mean(x)}); }, "(Mystery)");
  ExpectRefusedHead([](Exporter& e, const std::string& x) { return e.Node("Neg", {e.Mean(x)}); }, "none of mean");
  ExpectRefusedHead(
      [](Exporter& e, const std::string& x) {
        return e.Node("ReduceMean", {x}, ListAttribute("axes", {1}) + IntegerAttribute("keepdims", 0));
      },
      "over attention_mask");
  ExpectRefusedHead(
      [](Exporter& e, const std::string& x) { return e.Node("Exp", {e.Linear(e.Cls(x), "w", 4, kHidden)}); },
      "the activation is none of");
  ExpectRefusedHead([](Exporter&, const std::string& x) { return x; }, "one vector for each text");
  ExpectRefusedHead([](Exporter& e, const std::string& x) { return e.Node("Mul", {e.Unit(e.Mean(x)), e.Scalar(2)}); },
                    "none of mean");
}

TEST_F(OnnxTest, ReadsTheScoresOfACrossEncoder) {
  const auto open = [&](const Head& head, Exporter* exporter) {
    EXPECT_TRUE(test::WriteFile(path_, exporter->Run(head)).ok());
    return OpenOnnx(path_, *FindFamily("bert"), {}, true);
  };
  const auto dense = [](Exporter& e, const std::string& pooled, const char* activation) {
    return e.Node(activation, {e.Linear(pooled, "pooler.dense", kHidden, kHidden)});
  };
  const auto scores = [](Exporter& e, const std::string& x) { return e.Linear(x, "classifier", 3, kHidden); };
  const Style style{.output = "hidden", .head_output = "logits"};
  for (const bool folded : {false, true}) {
    Style one = style;
    one.folded_types = folded;
    Exporter exporter(one);
    auto model =
        open([&](Exporter& e, const std::string& x) { return scores(e, dense(e, e.Cls(x), "Tanh")); }, &exporter);
    ASSERT_TRUE(model.ok()) << model.status().message();
    ExpectWeights(*model, exporter.expected);
    EXPECT_EQ(model->takes_types, !folded);
    auto encoder = OpenOnnx(path_, *FindFamily("bert"));
    ASSERT_TRUE(encoder.ok()) << encoder.status().message();
    std::erase_if(exporter.expected, [](const auto& weight) {
      return weight.first.starts_with("pooler.") || weight.first.starts_with("classifier.");
    });
    ExpectWeights(*encoder, exporter.expected);
    EXPECT_FALSE(encoder->head.has_value());
  }

  const std::pair<Head, const char*> refused[] = {
      {nullptr, "expected an output logits, as config.json names a model that scores pairs, found hidden"},
      {[&](Exporter& e, const std::string& x) { return scores(e, dense(e, e.Mean(x), "Tanh")); }, "found pooling mean"},
      {[&](Exporter& e, const std::string& x) { return scores(e, dense(e, e.Cls(x), "Relu")); }, "of 8 with tanh"},
      {[&](Exporter& e, const std::string& x) { return scores(e, e.Cls(x)); }, "and 1 modules"},
      {[&](Exporter& e, const std::string& x) { return e.Node("Sigmoid", {scores(e, dense(e, e.Cls(x), "Tanh"))}); },
       "(Sigmoid): the activation is none of"}};
  for (const auto& [head, part] : refused) {
    Exporter exporter(style);
    auto model = open(head, &exporter);
    ASSERT_FALSE(model.ok()) << part;
    EXPECT_EQ(model.status().code(), Code::kUnsupported);
    EXPECT_NE(model.status().message().find(part), std::string::npos) << model.status().message();
  }
}

TEST_F(OnnxTest, KeepsExternalDataInTheFolder) {
  Exporter exporter(Style{.external = true});
  const std::string graph = exporter.Run(), data = exporter.external;
  ASSERT_TRUE(Failure(graph, data).ok());
  auto failure_at = [&](std::string_view place) {
    std::string changed = graph;
    constexpr std::string_view kPlace = "model.onnx.data";
    EXPECT_EQ(place.size(), kPlace.size());
    for (std::size_t at; (at = changed.find(kPlace)) != std::string::npos;) changed.replace(at, place.size(), place);
    return Failure(changed, data);
  };
  ASSERT_TRUE(test::WriteFile(folder_.File("sub"), "").ok());
  const std::string_view places[] = {"../model.onnx.d",  "/model.onnx.dat", "sub/model.onnx.",
                                     "sub\\model.onnx.", "C:odel.onnx.dat", std::string_view("model.onnx.dat\0", 15)};
  for (std::string_view place : places) {
    EXPECT_EQ(failure_at(place).code(), Code::kInvalidArgument) << place;
  }
  EXPECT_EQ(failure_at("other.onnx.data").code(), Code::kNotFound);
  EXPECT_EQ(Failure(graph, data.substr(0, data.size() - 1)).code(), Code::kCorrupt);
  // As the hub's cache has them.
  std::filesystem::create_directory(folder_.File("blobs"));
  ASSERT_TRUE(test::WriteFile(folder_.File("blobs/1"), data).ok());
  std::filesystem::remove(folder_.File("model.onnx.data"));
  std::filesystem::create_symlink("blobs/1", folder_.File("model.onnx.data"));
  EXPECT_TRUE(Failure(graph).ok());
}

TEST_F(OnnxTest, RefusesCirclesAndMissingValues) {
  auto node = [](const char* input, const char* output) {
    return TextField(1, TextField(1, input) + TextField(2, output) + TextField(4, "Identity"));
  };
  const std::string end = TextField(12, TextField(1, "last_hidden_state"));
  for (const std::string& graph :
       {node("a", "b") + node("b", "a"), node("a", "a"), node("nothing", "last_hidden_state"),
        TextField(11, TextField(1, "x")) + node("x", "y") + node("x", "y")}) {
    EXPECT_EQ(Failure(TextField(7, graph + end)).code(), Code::kCorrupt);
  }
  // A function that calls itself.
  const std::string call = TextField(2, "y") + TextField(4, "F") + TextField(7, "d");
  const std::string function =
      TextField(25, TextField(1, "F") + TextField(10, "d") + TextField(5, "y") + TextField(7, call));
  EXPECT_EQ(Failure(TextField(7, TextField(1, call) + end) + function).code(), Code::kCorrupt);
}

TEST_F(OnnxTest, SurvivesHostileFiles) {
  std::vector<std::string> graphs = {Exporter({}).Run(), Exporter({.quantized = Style::kPerChannel}).Run(),
                                     Exporter({.fused = true, .quantized = Style::kBlocks}).Run()};
  Exporter head(Style{.function = true, .output = "token_embeddings"});
  graphs.push_back(head.Run([](Exporter& e, const std::string& x) {
    return e.Unit(e.Node("Tanh", {e.Linear(e.Mean(x), "head.0.linear", 3, kHidden)}));
  }));
  std::mt19937 random(5);
  int refused = 0;
  for (int i = 0; i < 2500; ++i) {
    std::string changed = graphs[static_cast<std::size_t>(i) % graphs.size()];
    for (int flips = 0; flips < 1 + i % 4; ++flips) changed[random() % changed.size()] = static_cast<char>(random());
    if (i % 16 == 0) changed.resize(random() % changed.size());
    auto model = Open(changed);
    refused += model.ok() ? 0 : 1;
    for (std::size_t t = 0; model.ok() && t < model->weights->tensors().size(); ++t) {
      float one[1];
      const Shape& shape = model->weights->tensors()[t].shape;
      if (shape[0] > 0 && shape.back() > 0) {
        EXPECT_TRUE(model->weights->Read(t, 0, one).ok());
      }
    }
  }
  EXPECT_GT(refused, 700);
}

}  // namespace
}  // namespace thimble::convert
