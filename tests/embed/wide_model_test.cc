// Models of the sizes of bge-base, e5-base and gte-base, made of random numbers, against a plain forward pass in double
// arithmetic.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <string>
#include <vector>

#include "tests/support/test_model.h"
#include "thimble/convert.h"
#include "thimble/embedder.h"

namespace thimble {
namespace {

using Matrix = std::vector<std::vector<double>>;

constexpr std::size_t kLayers = 2, kHidden = 768, kHeads = 12;

// The source's weights, and BERT as its authors wrote it down.
class Reference {
 public:
  explicit Reference(const std::string& folder) {
    std::ifstream file(folder + "/model.safetensors", std::ios::binary);
    data_.assign(std::istreambuf_iterator<char>(file), {});
    std::uint64_t length = 0;
    std::memcpy(&length, data_.data(), 8);
    header_ = nlohmann::json::parse(data_.substr(8, length));
    begin_ = 8 + length;
  }

  // The vectors of the tokens.
  Matrix Encode(const std::vector<std::int32_t>& ids) const {
    const Matrix words = Rows("embeddings.word_embeddings.weight");
    const Matrix positions = Rows("embeddings.position_embeddings.weight");
    const Matrix types = Rows("embeddings.token_type_embeddings.weight");
    Matrix x;
    for (std::size_t t = 0; t < ids.size(); ++t) {
      std::vector<double> row = words[static_cast<std::size_t>(ids[t])];
      for (std::size_t k = 0; k < kHidden; ++k) row[k] += positions[t][k] + types[0][k];
      x.push_back(row);
    }
    Norm(x, "embeddings.LayerNorm");
    for (std::size_t i = 0; i < kLayers; ++i) {
      const std::string name = "encoder.layer." + std::to_string(i) + ".";
      Add(x, Linear(Attention(x, name + "attention.self."), name + "attention.output.dense"));
      Norm(x, name + "attention.output.LayerNorm");
      Matrix inner = Linear(x, name + "intermediate.dense");
      for (auto& row : inner) {
        for (double& v : row) v *= (1 + std::erf(v / std::numbers::sqrt2)) / 2;
      }
      Add(x, Linear(inner, name + "output.dense"));
      Norm(x, name + "output.LayerNorm");
    }
    return x;
  }

 private:
  Matrix Rows(const std::string& name) const {
    const nlohmann::json& tensor = header_.at(name);
    const std::size_t width = tensor["shape"].back();
    const std::size_t rows = tensor["shape"].size() == 1 ? 1 : tensor["shape"][0].get<std::size_t>();
    Matrix out(rows, std::vector<double>(width));
    const char* next = data_.data() + begin_ + tensor["data_offsets"][0].get<std::size_t>();
    for (auto& row : out) {
      for (double& value : row) {
        float read = 0;
        std::memcpy(&read, next, sizeof read);
        value = read;
        next += sizeof read;
      }
    }
    return out;
  }

  Matrix Linear(const Matrix& x, const std::string& name) const {
    const Matrix weight = Rows(name + ".weight");
    const std::vector<double> bias = Rows(name + ".bias")[0];
    Matrix y(x.size(), bias);
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (std::size_t n = 0; n < bias.size(); ++n) {
        for (std::size_t k = 0; k < x[t].size(); ++k) y[t][n] += weight[n][k] * x[t][k];
      }
    }
    return y;
  }

  Matrix Attention(const Matrix& x, const std::string& name) const {
    const Matrix q = Linear(x, name + "query"), k = Linear(x, name + "key"), v = Linear(x, name + "value");
    constexpr std::size_t kWidth = kHidden / kHeads;
    Matrix out(x.size(), std::vector<double>(kHidden));
    for (std::size_t h = 0; h < kHeads; ++h) {
      for (std::size_t t = 0; t < x.size(); ++t) {
        std::vector<double> scores(x.size());
        for (std::size_t s = 0; s < x.size(); ++s) {
          for (std::size_t d = h * kWidth; d < (h + 1) * kWidth; ++d) scores[s] += q[t][d] * k[s][d];
          scores[s] /= std::sqrt(static_cast<double>(kWidth));
        }
        const double most = *std::max_element(scores.begin(), scores.end());
        double sum = 0;
        for (double& score : scores) sum += score = std::exp(score - most);
        for (std::size_t s = 0; s < x.size(); ++s) {
          for (std::size_t d = h * kWidth; d < (h + 1) * kWidth; ++d) out[t][d] += scores[s] / sum * v[s][d];
        }
      }
    }
    return out;
  }

  void Norm(Matrix& x, const std::string& name) const {
    const std::vector<double> gamma = Rows(name + ".weight")[0], beta = Rows(name + ".bias")[0];
    for (auto& row : x) {
      double mean = 0, variance = 0;
      for (double v : row) mean += v / kHidden;
      for (double v : row) variance += (v - mean) * (v - mean) / kHidden;
      for (std::size_t k = 0; k < kHidden; ++k) {
        row[k] = (row[k] - mean) / std::sqrt(variance + 1e-12) * gamma[k] + beta[k];
      }
    }
  }

  static void Add(Matrix& x, const Matrix& y) {
    for (std::size_t t = 0; t < x.size(); ++t) {
      for (std::size_t k = 0; k < kHidden; ++k) x[t][k] += y[t][k];
    }
  }

  std::string data_;
  nlohmann::json header_;
  std::size_t begin_ = 0;
};

std::vector<double> Pooled(const Matrix& rows, Pooling pooling) {
  if (pooling == Pooling::kCls) return rows[0];
  std::vector<double> mean(kHidden);
  for (const auto& row : rows) {
    for (std::size_t k = 0; k < kHidden; ++k) mean[k] += row[k] / static_cast<double>(rows.size());
  }
  return mean;
}

TEST(WideModel, EqualsAPlainForwardPass) {
  test::TemporaryFolder folder;
  const std::string source = folder.File("wide");
  std::filesystem::create_directory(source);
  ASSERT_TRUE(
      test::WriteTestModel(source, {.hidden = kHidden, .layers = kLayers, .heads = kHeads, .intermediate = 3072}).ok());
  const Reference reference(source);
  std::map<std::string, Matrix> encoded;
  struct Bound {
    format::Dtype dtype;
    double difference;  // Of any component of a vector of length 1.
    double cosine;
  };
  // Sums of 3072 products in fp32 are off by a few units of 6e-8 times their terms' size; fp16 weights have 11 bits.
  // With random weights int8 is farther off than with trained ones.
  for (const Bound& bound : {Bound{format::Dtype::kFp32, 5e-7, 1 - 1e-10}, Bound{format::Dtype::kFp16, 2e-4, 0.99999},
                             Bound{format::Dtype::kQ8, 5e-3, 0.999}}) {
    const std::string path = folder.File("wide.safetensors");
    ASSERT_TRUE(ConvertModel(source, path, {.dtype = std::string(DtypeName(bound.dtype)), .name = "wide"}).ok());
    auto model = Model::Open(path);
    ASSERT_TRUE(model.ok()) << model.status().message();
    auto embedder = Embedder::Create(*model);
    ASSERT_TRUE(embedder.ok());
    for (const char* text :
         {"", "a small vector of memory", "the cats and dogs play in the sun, on a good day of 42"}) {
      for (Pooling pooling : {Pooling::kMean, Pooling::kCls}) {
        auto tokens = (*model)->Tokenize(text);
        ASSERT_TRUE(tokens.ok());
        if (!encoded.contains(text)) encoded[text] = reference.Encode(tokens->ids);
        const std::vector<double> expected = Pooled(encoded[text], pooling);
        std::vector<float> found(kHidden);
        ASSERT_TRUE(embedder->Embed(text, found, {.pooling = pooling, .normalize = true}).ok());
        double length = 0, found_squares = 0, dot = 0, worst = 0;
        for (double value : expected) length += value * value;
        length = std::sqrt(length);
        for (std::size_t k = 0; k < kHidden; ++k) {
          dot += expected[k] / length * found[k];
          found_squares += double{found[k]} * found[k];
          worst = std::max(worst, std::abs(expected[k] / length - found[k]));
        }
        EXPECT_LT(worst, bound.difference) << format::DtypeName(bound.dtype) << ": " << text;
        EXPECT_GT(dot / std::sqrt(found_squares), bound.cosine) << format::DtypeName(bound.dtype) << ": " << text;
      }
    }
  }
}

}  // namespace
}  // namespace thimble
