// The mocks: one against JavaScript's own values, the other against the contract of a model.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/mock_vectors.h"
#include "thimble/embedder.h"

namespace thimble::runtime {
namespace {

// FNV-1a over the bits of floats, four bytes at a time.
class Hash {
 public:
  void Add(float value) {
    std::uint32_t word;
    std::memcpy(&word, &value, sizeof word);
    hash_ = (hash_ ^ word) * 0x100000001B3;
  }
  std::string Hex() const {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash_));
    return text;
  }

 private:
  std::uint64_t hash_ = 0xCBF29CE484222325;
};

std::vector<float> Mock(const std::string& text) {
  std::vector<float> vector(kMockDimensions);
  MockVector({}, text, vector);
  return vector;
}

std::vector<float> Hashed(const std::string& text, std::size_t max_tokens = 256, Pooling pooling = Pooling::kMean) {
  std::vector<float> vector(kMockDimensions);
  HashedMockVector({}, text, max_tokens, pooling, vector);
  return vector;
}

double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

std::shared_ptr<const Model> Open(const std::string& name) {
  auto model = Model::Open(name);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return *model;
}

TEST(Mock, HasTheBitsOfJavaScript) {
  std::ifstream file(THIMBLE_FIXTURES "/mock.json");
  const auto goldens = nlohmann::json::parse(file);
  ASSERT_GT(goldens["texts"].size(), 10u);
  for (const auto& golden : goldens["texts"]) {
    std::string text;
    for (int i = golden.value("repeat", 1); i > 0; --i) text += golden["text"].get<std::string>();
    std::vector<float> vector(kMockDimensions);
    EXPECT_EQ(MockVector({}, text, vector), golden["units"].get<std::size_t>()) << golden["text"];
    EXPECT_EQ(vector[0], golden["first"].get<float>()) << golden["text"];
    Hash hash;
    for (float value : vector) hash.Add(value);
    EXPECT_EQ(hash.Hex(), golden["hash"].get<std::string>()) << golden["text"];
  }
  // Sums that no short text has, where sine needs its argument reduced.
  for (const auto& golden : goldens["blocks"]) {
    Hash hash;
    const double begin = golden["block"].get<double>() * (1 << 20);
    for (int i = 0; i < 1 << 20; ++i) hash.Add(static_cast<float>(std::sin(begin + i) * 0.1));
    EXPECT_EQ(hash.Hex(), golden["hash"].get<std::string>()) << "block " << golden["block"];
  }
}

TEST(Mock, CountsInvalidBytesAsReplacementCharacters) {
  EXPECT_EQ(Mock("a\xff"
                 "b"),
            Mock("a\xef\xbf\xbd"
                 "b"));
  EXPECT_EQ(Mock("\xe2\x82"), Mock("\xef\xbf\xbd"));
}

TEST(Mock, StandsInForAnyModel) {
  setenv("THIMBLE_BACKEND", "mock", 1);
  auto model = Model::Open("no/such/file.safetensors");
  setenv("THIMBLE_BACKEND", "nonsense", 1);
  auto refused = Model::Open("mock");
  setenv("THIMBLE_BACKEND", "openai:m@http://user:secret@host", 1);
  auto remote = Model::Open("no/such/file.safetensors");
  setenv("THIMBLE_BACKEND", "openai:m,native", 1);
  auto native = Model::Open("no/such/file.safetensors");
  setenv("THIMBLE_BACKEND", "mock,openai:m", 1);
  auto in_chain = Model::Open("mock");
  unsetenv("THIMBLE_BACKEND");
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->info().name, "mock");
  EXPECT_EQ(refused.status().code(), Code::kInvalidArgument);
  EXPECT_EQ(remote.status().code(), Code::kInvalidArgument);
  EXPECT_NE(remote.status().message().find("\"openai:...\"; only thimble embed"), std::string::npos)
      << remote.status().message();
  EXPECT_EQ(native.status().code(), Code::kNotFound);
  EXPECT_TRUE(in_chain.ok());
  auto embedder = Embedder::Create(*model);
  ASSERT_TRUE(embedder.ok());
  std::vector<float> vector(kMockDimensions);
  ASSERT_TRUE(embedder->Embed("hello", vector).ok());
  EXPECT_EQ(vector, Mock("hello"));
  EXPECT_EQ((*model)->Tokenize("a").status().code(), Code::kUnsupported);
}

TEST(MockHashed, LikeTextsHaveLikeVectors) {
  const auto base = Hashed("the cat sat on the mat");
  const double like = Cosine(base, Hashed("a cat sat on a mat"));
  const double unlike = Cosine(base, Hashed("quarterly revenue exceeded expectations"));
  EXPECT_GT(like, 0.6);
  EXPECT_LT(unlike, 0.3);
  EXPECT_GT(Cosine(Hashed("international"), Hashed("internatoinal")), 0.4);
  EXPECT_EQ(Hashed("Hello World"), Hashed("hello  world"));
  EXPECT_NE(Hashed("hello world"), Hashed("hello-world"));
  EXPECT_NE(Hashed("\xc3\xa9"), Hashed("e"));
}

TEST(MockHashed, HasTheContractOfAModel) {
  auto model = Open("mock-hashed");
  auto embedder = Embedder::Create(model);
  ASSERT_TRUE(embedder.ok());
  std::string words;
  for (int i = 0; i < 300; ++i) words += "word" + std::to_string(i) + " ";
  std::vector<float> vector(kMockDimensions);
  auto report = embedder->Embed(words, vector);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->tokens, model->info().max_tokens);
  EXPECT_TRUE(report->truncated);
  EXPECT_NEAR(Cosine(vector, vector), 1, 1e-6);
  double squares = 0;
  for (float value : vector) squares += static_cast<double>(value) * value;
  EXPECT_NEAR(squares, 1, 1e-5);

  // Truncation keeps the first words, and eight of them fit exactly.
  const std::string eight = words.substr(0, words.find("word8"));
  std::vector<float> cut(kMockDimensions), whole(kMockDimensions);
  const HashedMockTokens cut_report = HashedMockVector({}, words, 10, Pooling::kMean, cut);
  const HashedMockTokens whole_report = HashedMockVector({}, eight, 10, Pooling::kMean, whole);
  EXPECT_EQ(cut, whole);
  EXPECT_TRUE(cut_report.truncated);
  EXPECT_FALSE(whole_report.truncated);
  EXPECT_EQ(whole_report.count, 10u);

  EXPECT_NE(Hashed("a", 256, Pooling::kCls), Hashed("a", 256, Pooling::kMean));
  EXPECT_GT(Cosine(Hashed(""), Hashed("")), 0.99);
  EXPECT_EQ(embedder->Embed("a", std::span<float>(vector).first(3)).status().code(), Code::kInvalidArgument);
  EmbedderOptions options;
  options.max_tokens = 513;
  EXPECT_EQ(Embedder::Create(model, options).status().code(), Code::kInvalidArgument);
  options.max_tokens = 2;
  EXPECT_EQ(Embedder::Create(model, options).status().code(), Code::kInvalidArgument);
}

TEST(MockHashed, IsTheSameOnEveryMachine) {
  Hash hash;
  for (const char* text :
       {"", "a", "The cat sat on the mat.", "caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac", "x\xff\xfey 42!"}) {
    for (Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kLast}) {
      for (float value : Hashed(text, 8, pooling)) hash.Add(value);
    }
  }
  EXPECT_EQ(hash.Hex(), "a85e3b08e896dee2");
}

TEST(MockHashed, TakesAnyBytes) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  for (std::size_t length = 0; length <= bytes.size(); ++length) Hashed(bytes.substr(0, length));
  EXPECT_GT(Cosine(Hashed(std::string(1 << 20, 'x')), Hashed(std::string(1 << 20, 'x'))), 0.99);
}

}  // namespace
}  // namespace thimble::runtime
