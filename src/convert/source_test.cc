// Tests of reading source tensors: the three element types bit by bit, and the names of tensors.

#include "convert/source.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/test_model.h"

namespace thimble::convert {
namespace {

using test::TemporaryFolder;

// A file of one tensor "t" of one dimension with these elements' bits.
template <typename Bits>
std::string OneTensor(const std::string& dtype, const std::vector<Bits>& elements, const std::string& name = "t") {
  std::string data;
  for (Bits bits : elements) {
    for (std::size_t i = 0; i < sizeof bits; ++i) data += static_cast<char>(bits >> (8 * i) & 255);
  }
  const std::string json = "{\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" +
                           std::to_string(elements.size()) + "],\"data_offsets\":[0," + std::to_string(data.size()) +
                           "]}}";
  std::string length(8, '\0');
  length[0] = static_cast<char>(json.size());
  return length + json + data;
}

class SourceTest : public testing::Test {
 protected:
  Result<std::vector<float>> Read(const std::string& bytes, std::size_t size, std::uint64_t first = 0) {
    const std::string path = folder_.File("model.safetensors");
    EXPECT_TRUE(test::WriteFile(path, bytes).ok());
    auto source = Source::Open(folder_.path(), "model.safetensors", *FindFamily("bert"));
    if (!source.ok()) return source.status();
    const std::uint64_t shape[] = {first + size};
    auto tensor = source->Find("t", shape);
    if (!tensor.ok()) return tensor.status();
    std::vector<float> values(size);
    Status status = source->Read(**tensor, first, values);
    if (!status.ok()) return status;
    return values;
  }

  TemporaryFolder folder_;
};

TEST_F(SourceTest, ReadsBinary16WithSubnormals) {
  const std::vector<std::uint16_t> bits = {0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x83ff, 0x3555};
  auto values = Read(OneTensor("F16", bits), bits.size());
  ASSERT_TRUE(values.ok()) << values.status().message();
  const std::vector<float> expected = {0.0f,       -0.0f, 1.0f, -2.0f, 65504.0f, 0x1p-14f, 0x1p-24f, -1023 * 0x1p-24f,
                                       0x1.554p-2f};
  for (std::size_t i = 0; i < bits.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>((*values)[i]), std::bit_cast<std::uint32_t>(expected[i])) << i;
  }
}

TEST_F(SourceTest, ReadsBfloat16AsTheUpperHalfOfAFloat) {
  const std::vector<std::uint16_t> bits = {0x0000, 0x8000, 0x3f80, 0xc049, 0x0001, 0x0080};
  auto values = Read(OneTensor("BF16", bits), bits.size());
  ASSERT_TRUE(values.ok()) << values.status().message();
  const std::vector<float> expected = {0.0f, -0.0f, 1.0f, -3.140625f, 0x1p-133f, 0x1p-126f};
  for (std::size_t i = 0; i < bits.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>((*values)[i]), std::bit_cast<std::uint32_t>(expected[i])) << i;
  }
}

TEST_F(SourceTest, ReadsFloatsFromTheMiddle) {
  const std::vector<std::uint32_t> bits = {0x3f800000, 0x40000000, 0x00000001, 0xc0400000};
  auto values = Read(OneTensor("F32", bits), 2, 2);
  ASSERT_TRUE(values.ok()) << values.status().message();
  EXPECT_EQ(*values, (std::vector<float>{0x1p-149f, -3.0f}));
}

TEST_F(SourceTest, RefusesWhatIsNotFiniteInEveryType) {
  const std::string files[] = {OneTensor<std::uint16_t>("F16", {0, 0x7c00}),   // Infinity,
                               OneTensor<std::uint16_t>("F16", {0, 0xfe00}),   // not a number,
                               OneTensor<std::uint16_t>("BF16", {0, 0xff80}),  // minus infinity,
                               OneTensor<std::uint16_t>("BF16", {0, 0x7fc0}),
                               OneTensor<std::uint32_t>("F32", {0, 0x7f800000}),
                               OneTensor<std::uint32_t>("F32", {0, 0x7f800001})};
  for (const std::string& bytes : files) {
    auto values = Read(bytes, 2);
    ASSERT_FALSE(values.ok());
    EXPECT_EQ(values.status().code(), Code::kCorrupt);
    EXPECT_NE(values.status().message().find("tensor \"t\" holds a value that is not finite"), std::string::npos);
  }
}

TEST_F(SourceTest, RefusesWhatNoWeightIs) {
  for (auto [value, code] :
       {std::pair(1e15f, Code::kOk), std::pair(-1.1e15f, Code::kCorrupt), std::pair(3e38f, Code::kCorrupt)}) {
    auto values = Read(OneTensor<std::uint32_t>("F32", {0, std::bit_cast<std::uint32_t>(value)}), 2);
    EXPECT_EQ(CodeName(values.status().code()), CodeName(code)) << value;
  }
}

TEST_F(SourceTest, FindsNamesWithAndWithoutBertAndSaysWhatItExpected) {
  const std::vector<std::uint32_t> bits = {0x3f800000};
  EXPECT_TRUE(Read(OneTensor("F32", bits, "bert.t"), 1).ok());
  auto refusal = [&](const std::string& bytes, std::size_t size) { return Read(bytes, size).status(); };
  for (const char* name : {"module.t", "0.auto_model.t", "0.model.t", "auto_model.t", "module.bert.t"}) {
    EXPECT_TRUE(Read(OneTensor("F32", bits, name), 1).ok()) << name;
  }
  const std::string path = folder_.File("model.safetensors") + ": ";
  EXPECT_EQ(refusal(OneTensor("F32", bits, "roberta.t"), 1).message(), path + "tensor \"t\" is missing");
  EXPECT_EQ(refusal(OneTensor("F32", bits), 2).message(), path + "tensor \"t\": expected shape [2], found [1]");
  const Status type = refusal(OneTensor("I32", bits), 1);
  EXPECT_EQ(type.code(), Code::kUnsupported);
  EXPECT_EQ(type.message(), path + "tensor \"t\": expected F32, F16 or BF16, found I32");
}

TEST_F(SourceTest, OldNamesOfLayerNormAreItsWeightAndBias) {
  const std::vector<std::uint32_t> bits = {0x3f800000};
  const std::uint64_t shape[] = {1};
  for (auto [stored, name] : {std::pair("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
                              {"encoder.layer.0.output.LayerNorm.beta", "encoder.layer.0.output.LayerNorm.bias"}}) {
    ASSERT_TRUE(test::WriteFile(folder_.File("model.safetensors"), OneTensor("F32", bits, stored)).ok());
    auto source = Source::Open(folder_.path(), "model.safetensors", *FindFamily("bert"));
    ASSERT_TRUE(source.ok());
    EXPECT_TRUE(source->Find(name, shape).ok()) << stored;
  }
}

TEST_F(SourceTest, ShardsAreReadByTheirIndex) {
  const std::vector<std::uint32_t> bits = {0x3f800000};
  const std::uint64_t shape[] = {1};
  auto write = [&](const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(test::WriteFile(folder_.File(name), bytes).ok());
  };
  auto open = [&](const std::string& map) {
    EXPECT_TRUE(test::WriteFile(folder_.File("model.safetensors.index.json"), "{\"weight_map\":" + map + "}").ok());
    return Source::Open(folder_.path(), "model.safetensors.index.json", *FindFamily("bert"));
  };
  write("a.safetensors", OneTensor("F32", bits, "a"));
  write("b.safetensors", OneTensor("F32", bits, "bert.b"));
  auto source = open(R"({"a": "a.safetensors", "bert.b": "b.safetensors"})");
  ASSERT_TRUE(source.ok()) << source.status().message();
  EXPECT_TRUE(source->Find("a", shape).ok());
  EXPECT_TRUE(source->Find("b", shape).ok());

  EXPECT_EQ(open(R"({"a": "a.safetensors", "c": "b.safetensors"})").status().code(), Code::kCorrupt)
      << "no such tensor";
  EXPECT_EQ(open(R"({"a": "c.safetensors"})").status().code(), Code::kNotFound);
  for (const char* map : {R"({"a": "../a.safetensors"})", R"({"a": "/a"})", R"({"a": "x/a.safetensors"})",
                          R"({"a": 1})", "[]", R"({"a": ""})"}) {
    EXPECT_EQ(open(map).status().code(), Code::kCorrupt) << map;
  }
  write("b.safetensors", OneTensor("F32", bits, "bert.a"));
  source = open(R"({"a": "a.safetensors", "bert.a": "b.safetensors"})");
  ASSERT_TRUE(source.ok());
  const Status twice = source->Find("a", shape).status();
  EXPECT_EQ(twice.code(), Code::kCorrupt);
  EXPECT_NE(twice.message().find("more than once"), std::string::npos) << twice.message();
}

}  // namespace
}  // namespace thimble::convert
