// Tests of reading ONNX files: each style of export gives the model file that safetensors gives, and what is broken or
// something else is refused.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "convert/convert.h"
#include "convert/onnx_bert.h"
#include "convert/onnx_file.h"
#include "convert/source.h"
#include "kernels/half.h"
#include "tests/test_model.h"

namespace thimble::convert {
namespace {

using test::TemporaryFolder;
using test::TestModelOptions;

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

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

// How an exporter writes things down.
struct Style {
  std::string name;
  bool norm_operator = false;            // LayerNormalization, else its parts.
  bool gemm = false;                     // Gemm with [outputs, inputs], else MatMul and Add with [inputs, outputs].
  bool bias_first = false;               // Add(bias, product).
  bool constant_nodes = false;           // Weights in Constant nodes, else initializers.
  bool packed_shapes = false;            // The lengths of a tensor as one field.
  bool half = false;                     // float16, behind a Cast.
  std::array<int, 3> order = {0, 1, 2};  // Of queries, keys and values.
};

// Writes the graph that an exporter makes of a test model, with the weights of its model.safetensors and names that say
// nothing.
class Exporter {
 public:
  Exporter(const std::string& folder, const TestModelOptions& options, const Style& style)
      : options_(options), style_(style), source_(*Source::Open(folder, "model.safetensors")) {}

  std::string Run(std::uint64_t vocabulary) {
    const std::uint64_t h = options_.hidden, f = options_.intermediate;
    std::string x = Node("Gather", {Weight("embeddings.word_embeddings.weight", {vocabulary, h}), "input_ids"});
    const std::string types = Weight("embeddings.token_type_embeddings.weight", {2, h});
    x = Node("Add", {x, Node("Gather", {types, Node("Cast", {"token_type_ids"})})});
    const std::string places = Node("Slice", {"ids", Node("Shape", {"input_ids"})});
    x = Node("Add",
             {x, Node("Gather", {Weight("embeddings.position_embeddings.weight", {options_.positions, h}), places})});
    x = Norm(x, "embeddings.LayerNorm");
    for (std::size_t i = 0; i < options_.layers; ++i) {
      const std::string name = "encoder.layer." + std::to_string(i) + ".";
      constexpr std::array<const char*, 3> kParts = {"query", "key", "value"};
      std::array<std::string, 3> parts;
      for (int part : style_.order) {
        parts[part] = Linear(x, name + "attention.self." + kParts[part], h, h);
        Node("Shape", {parts[part]});
        parts[part] = Node("Transpose", {Node("Reshape", {parts[part], "shape"})});
      }
      const std::string scores = Node("Div", {Node("MatMul", {parts[0], parts[1]}), "root"});
      std::string y = Node("MatMul", {Node("Softmax", {Node("Add", {scores, "mask"})}), parts[2]});
      y = Node("Reshape", {Node("Transpose", {y}), "shape"});
      y = Linear(y, name + "attention.output.dense", h, h);
      x = Norm(Node("Add", {y, x}), name + "attention.output.LayerNorm");
      y = Linear(x, name + "intermediate.dense", f, h);
      const std::string erf = Node("Add", {Node("Erf", {Node("Div", {y, "root2"})}), "one"});
      y = Linear(Node("Mul", {Node("Mul", {y, erf}), "half"}), name + "output.dense", h, f);
      x = Norm(Node("Add", {y, x}), name + "output.LayerNorm");
    }
    // What a pooler takes is not the hidden state itself.
    Linear(Node("Gather", {x, "zero"}), "pooler.dense", h, h);
    return IntegerField(1, 8) + TextField(7, nodes_ + tensors_);
  }

 private:
  std::string Node(const std::string& op, const std::vector<std::string>& inputs, const std::string& attributes = "") {
    const std::string output = "t" + std::to_string(++count_);
    std::string node;
    for (const std::string& input : inputs) node += TextField(1, input);
    nodes_ += TextField(1, node + TextField(2, output) + TextField(4, op) + attributes);
    return output;
  }

  std::string Weight(const std::string& name, std::vector<std::uint64_t> shape, bool transposed = false) {
    auto tensor = source_.Find(name, shape);
    EXPECT_TRUE(tensor.ok()) << tensor.status().message();
    std::vector<float> values(shape[0] * (shape.size() == 2 ? shape[1] : 1)), stored = values;
    EXPECT_TRUE(source_.Read(**tensor, 0, values).ok());
    stored = values;
    if (transposed) {
      for (std::size_t i = 0; i < values.size(); ++i) stored[i % shape[1] * shape[0] + i / shape[1]] = values[i];
      std::swap(shape[0], shape[1]);
    }
    std::string data(stored.size() * (style_.half ? 2 : 4), '\0');
    for (std::size_t i = 0; i < stored.size(); ++i) {
      const std::uint16_t half = kernels::FloatToHalf(stored[i]);
      std::memcpy(&data[i * (style_.half ? 2 : 4)], style_.half ? static_cast<const void*>(&half) : &stored[i],
                  style_.half ? 2 : 4);
    }
    std::string proto, packed;
    for (std::uint64_t size : shape) {
      packed += Varint(size);
      if (!style_.packed_shapes) proto += IntegerField(1, size);
    }
    if (style_.packed_shapes) proto += TextField(1, packed);
    proto += IntegerField(2, style_.half ? 10 : 1) + TextField(9, data);
    std::string result;
    if (style_.constant_nodes) {
      result = Node("Constant", {}, TextField(5, TextField(1, "value") + TextField(5, proto)));
    } else {
      result = "w" + std::to_string(++count_);
      tensors_ += TextField(5, proto + TextField(8, result));
    }
    return style_.half ? Node("Cast", {result}) : result;
  }

  std::string Linear(const std::string& x, const std::string& name, std::uint64_t outputs, std::uint64_t inputs) {
    const std::string weight = Weight(name + ".weight", {outputs, inputs}, !style_.gemm);
    const std::string bias = Weight(name + ".bias", {outputs});
    if (style_.gemm) {
      return Node("Gemm", {x, weight, bias}, TextField(5, TextField(1, "transB") + IntegerField(3, 1)));
    }
    const std::string product = Node("MatMul", {x, weight});
    return style_.bias_first ? Node("Add", {bias, product}) : Node("Add", {product, bias});
  }

  std::string Norm(const std::string& x, const std::string& name) {
    const std::string scale = Weight(name + ".weight", {options_.hidden});
    const std::string bias = Weight(name + ".bias", {options_.hidden});
    if (style_.norm_operator) return Node("LayerNormalization", {x, scale, bias});
    const std::string difference = Node("Sub", {x, Node("ReduceMean", {x})});
    const std::string variance = Node("ReduceMean", {Node("Pow", {difference, "two"})});
    const std::string quotient = Node("Div", {difference, Node("Sqrt", {Node("Add", {variance, "epsilon"})})});
    return Node("Add", {Node("Mul", {quotient, scale}), bias});
  }

  const TestModelOptions& options_;
  const Style& style_;
  Source source_;
  std::string nodes_, tensors_;
  int count_ = 0;
};

class OnnxTest : public testing::Test {
 protected:
  // Writes the test model into the folder "source", and returns its graph.
  std::string Export(const Style& style) {
    options_.layers = 2;
    if (style.half) options_.type = format::ElementType::kF16;
    std::filesystem::create_directories(source_ + "/onnx");
    EXPECT_TRUE(test::WriteTestModel(source_, options_).ok());
    constexpr std::uint64_t kMostPieces = 1000;
    for (std::uint64_t vocabulary = 1; vocabulary < kMostPieces; ++vocabulary) {
      auto source = Source::Open(source_, "model.safetensors");
      const std::uint64_t shape[] = {vocabulary, options_.hidden};
      if (source->Find("embeddings.word_embeddings.weight", shape).ok()) {
        return Exporter(source_, options_, style).Run(vocabulary);
      }
    }
    ADD_FAILURE() << "no word table";
    return "";
  }

  std::string ConvertedBytes(Dtype dtype) {
    Options options;
    options.dtype = dtype;
    options.name = "test";
    options.calibrate = false;
    const Status status = Convert(source_, folder_.File("out"), options);
    EXPECT_TRUE(status.ok()) << status.message();
    return test::WithoutSourceHash(Contents(folder_.File("out")));
  }

  // The failure of finding weights in a file of these bytes.
  Status Failure(const std::string& bytes) {
    EXPECT_TRUE(test::WriteFile(folder_.File("model.onnx"), bytes).ok());
    auto source = Source::Open(folder_.path(), "model.onnx");
    return source.ok() ? Status() : source.status();
  }

  TemporaryFolder folder_;
  const std::string source_ = folder_.File("source");
  TestModelOptions options_;
};

class OnnxStyles : public OnnxTest, public testing::WithParamInterface<Style> {};

TEST_P(OnnxStyles, GiveTheFileThatSafetensorsGives) {
  const std::string graph = Export(GetParam());
  for (Dtype dtype : {Dtype::kFp32, Dtype::kQ8, Dtype::kQ4}) {
    const std::string expected = ConvertedBytes(dtype);
    ASSERT_GT(expected.size(), 10000u);
    const std::string kept = Contents(source_ + "/model.safetensors");
    std::filesystem::remove(source_ + "/model.safetensors");
    ASSERT_TRUE(test::WriteFile(source_ + "/onnx/model.onnx", graph).ok());
    EXPECT_TRUE(ConvertedBytes(dtype) == expected) << DtypeName(dtype);
    ASSERT_TRUE(test::WriteFile(source_ + "/model.safetensors", kept).ok());
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, OnnxStyles,
    testing::Values(Style{.name = "Plain"}, Style{.name = "BiasFirst", .bias_first = true, .order = {1, 2, 0}},
                    Style{.name = "NormOperator", .norm_operator = true, .packed_shapes = true, .order = {2, 1, 0}},
                    Style{.name = "Gemm", .gemm = true, .order = {0, 2, 1}},
                    Style{.name = "ConstantNodes", .constant_nodes = true, .packed_shapes = true},
                    Style{.name = "Half", .norm_operator = true, .half = true}),
    [](const auto& style) { return style.param.name; });

TEST_F(OnnxTest, RefusesWhatIsNoPlainEncoder) {
  const std::string graph = Export({});
  ASSERT_TRUE(Failure(graph).ok()) << Failure(graph).message();
  auto with = [&](std::string_view from, std::string_view to) {
    std::string changed = graph;
    changed.replace(changed.find(from), from.size(), to);
    return Failure(changed);
  };
  const Status fused = Failure(IntegerField(1, 8) + TextField(7, TextField(1, TextField(4, "DynamicQuantizeLinear"))));
  EXPECT_EQ(fused.code(), Code::kUnsupported);
  EXPECT_NE(fused.message().find("DynamicQuantizeLinear"), std::string::npos) << fused.message();
  const Status words = with("input_ids", "outer_ids");
  EXPECT_NE(words.message().find("no words"), std::string::npos) << words.message();
  const Status product = with("MatMul", "MatMil");
  EXPECT_NE(product.message().find("found 2"), std::string::npos) << product.message();
  const Status attention = with("Softmax", "SoftMix");
  EXPECT_TRUE(attention.ok());  // How scores become weights is for config.json to say.
  const Status erased = with("Reshape", "Resh_pe");
  EXPECT_NE(erased.message().find("attention"), std::string::npos) << erased.message();
  for (const char* bytes : {"", "x", "not an ONNX file"}) {
    EXPECT_EQ(Failure(bytes).code(), Code::kCorrupt);
  }
  EXPECT_EQ(Failure(TextField(7, "")).code(), Code::kUnsupported);
}

TEST_F(OnnxTest, SurvivesHostileFiles) {
  options_.hidden = 32;
  options_.heads = 1;
  options_.intermediate = 32;
  options_.positions = 64;
  const std::string graph = Export({});
  // The nodes come first: bytes there are structure.
  const std::size_t structure = 8000;
  ASSERT_GT(graph.size(), structure);
  for (std::size_t size = 0; size < structure; size += 37) {
    EXPECT_EQ(Failure(graph.substr(0, size)).code(), Code::kCorrupt) << size;
  }
  std::mt19937 random(5);
  int refused = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string changed = graph;
    for (int flips = 0; flips < 1 + i % 4; ++flips) changed[random() % structure] = static_cast<char>(random());
    refused += Failure(changed).ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace thimble::convert
