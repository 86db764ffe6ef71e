// Damaged weights, and model files that change while they are open.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "format/reader.h"
#include "kernels/half.h"
#include "tests/support/test_model.h"
#include "thimble/cache.h"
#include "thimble/convert.h"
#include "thimble/embedder.h"
#include "thimble/hub.h"
#include "thimble/memory.h"
#include "thimble/pool.h"
#include "thimble/receipt.h"

namespace thimble {
namespace {

namespace fs = std::filesystem;
using format::Dtype;
using nlohmann::ordered_json;
using test::TemporaryFolder;
using test::WriteFile;

constexpr std::string_view kTexts[] = {"hello world", "a small vector of cats and dogs"};

// Where the data of a model file begins.
std::size_t DataBegin(const std::string& file) {
  std::uint64_t header;
  std::memcpy(&header, file.data(), 8);
  return 8 + header;
}
ordered_json Header(const std::string& file) { return ordered_json::parse(file.substr(8, DataBegin(file) - 8)); }

std::string ValidModel(const std::string& folder, Dtype dtype, std::uint32_t seed = 1) {
  const auto path = test::ConvertTestModel(folder, dtype, {.seed = seed});
  EXPECT_TRUE(path.ok()) << path.status().message();
  return *path;
}

Result<std::vector<float>> Embed(const std::shared_ptr<const Model>& model, const VectorOptions& options = {},
                                 std::size_t threads = 1) {
  auto embedder = Embedder::Create(model, {.threads = threads});
  if (!embedder.ok()) return embedder.status();
  std::vector<float> vectors(std::size(kTexts) * model->dimensions());
  const Status status = embedder->EmbedBatch(kTexts, vectors, {}, options);
  if (!status.ok()) return status;
  return vectors;
}
Result<std::vector<float>> OpenAndEmbed(const std::string& path, const OpenOptions& open = {},
                                        const VectorOptions& options = {}) {
  auto model = Model::Open(path, open);
  if (!model.ok()) return model.status();
  return Embed(*model, options);
}

bool Contains(const Status& status, std::string_view part) { return status.message().find(part) != std::string::npos; }

// Sets one element of a tensor in the contents of a model file.
void SetElement(std::string& file, const ordered_json& tensor, std::size_t index, float value) {
  const std::size_t begin = DataBegin(file) + tensor["data_offsets"][0].get<std::size_t>();
  if (tensor["dtype"] == "F32") {
    std::memcpy(&file[begin + 4 * index], &value, 4);
  } else {
    const std::uint16_t half = kernels::FloatToHalf(value);
    std::memcpy(&file[begin + 2 * index], &half, 2);
  }
}

class DamagedWeights : public testing::TestWithParam<Dtype> {};

// Every tensor of floats, every pooling: never a vector, finite or not, but an error that says what to do.
TEST_P(DamagedWeights, AValueThatIsNotFiniteIsNeverEmbeddedWith) {
  TemporaryFolder folder;
  const std::string good = test::ReadFile(ValidModel(folder.path(), GetParam()));
  const std::string path = folder.File("damaged.safetensors");
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::size_t tensors = 0, refused = 0, embedded = 0;
  const ordered_json header = Header(good);
  for (const auto& [name, tensor] : header.items()) {
    if (name == "__metadata__" || name.starts_with("receipt.")) continue;
    if (tensor["dtype"] != "F32" && tensor["dtype"] != "F16") continue;
    ++tensors;
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
      std::string file = good;
      // Of tables, what the first tokens need.
      std::size_t index = 3;
      if (name == "embeddings.words.weight") index = 2 * 64 + 3;  // [CLS]
      if (name == "embeddings.words.scale" || name == "embeddings.positions.scale") index = 2;
      SetElement(file, tensor, index, bad);
      ASSERT_TRUE(WriteFile(path, file).ok());
      auto model = Model::Open(path);
      if (!model.ok()) {
        ++refused;
        EXPECT_EQ(model.status().code(), Code::kCorrupt) << name;
        const char* what = name == "codes.limits" ? "not from 0 to 1" : "not finite";
        EXPECT_TRUE(Contains(model.status(), "tensor \"" + name + "\": has a value that is " + what))
            << model.status().message();
        continue;
      }
      ++embedded;
      for (const Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kLast, Pooling::kMax, Pooling::kMeanSqrtLen,
                                    Pooling::kWeightedMean}) {
        for (const bool normalize : {true, false}) {
          const auto found = Embed(*model, {.pooling = pooling, .normalize = normalize, .first_index = 7});
          ASSERT_FALSE(found.ok()) << name << " " << bad << " " << PoolingName(pooling);
          EXPECT_EQ(found.status().code(), Code::kCorrupt);
          EXPECT_TRUE(Contains(found.status(), "texts[7]: ")) << found.status().message();
          EXPECT_TRUE(Contains(found.status(), "thimble verify " + path)) << found.status().message();
        }
      }
      EXPECT_EQ(Embed(*model, {}, 2).status().code(), Code::kCorrupt) << name;
      EXPECT_EQ(Embed(*model, {.long_texts = LongTexts::kChunk}).status().code(), Code::kCorrupt) << name;
      auto embedder = Embedder::Create(*model);
      std::vector<float> rows(embedder->plan().max_tokens * 64);
      EXPECT_EQ(embedder->EmbedTokens(kTexts[0], rows).status().code(), Code::kCorrupt) << name;
      const std::int32_t ids[] = {2, 7, 3};
      EXPECT_EQ(embedder->EmbedIds(ids, std::span(rows).first(3 * 64)).code(), Code::kCorrupt) << name;
      auto pool = ModelPool::Create();
      auto lease = pool->Acquire(path);
      ASSERT_TRUE(lease.ok()) << lease.status().message();
      std::vector<float> vector(64);
      EXPECT_EQ(lease->Embed(kTexts[0], vector).status().code(), Code::kCorrupt) << name;
    }
  }
  EXPECT_GT(tensors, 10u);
  EXPECT_GT(refused, 30u);
  EXPECT_GT(embedded, 0u);
}

// Attention takes in tokens that pooling does not.
TEST_P(DamagedWeights, TheWordThatIsNotFiniteNamesItsTextOnly) {
  TemporaryFolder folder;
  std::string file = test::ReadFile(ValidModel(folder.path(), GetParam()));
  auto good = Model::Open(folder.File("test-model-" + std::string(format::DtypeName(GetParam())) + ".safetensors"));
  ASSERT_TRUE(good.ok());
  const auto tokens = (*good)->Tokenize("hello");
  ASSERT_EQ(tokens->ids.size(), 3u);
  const auto id = static_cast<std::size_t>(tokens->ids[1]);
  const ordered_json header = Header(file);
  if (header.contains("embeddings.words.scale")) {
    SetElement(file, header["embeddings.words.scale"], id, NAN);
  } else {
    SetElement(file, header["embeddings.words.weight"], id * 64 + 5, NAN);
  }
  const std::string path = folder.File("damaged.safetensors");
  ASSERT_TRUE(WriteFile(path, file).ok());
  auto model = Model::Open(path);
  ASSERT_TRUE(model.ok()) << model.status().message();
  auto embedder = Embedder::Create(*model);
  const std::string_view texts[] = {"a dog", "the hello of a cat", "a day"};
  std::vector<float> vectors(3 * 64);
  for (const Pooling pooling : {Pooling::kCls, Pooling::kLast, Pooling::kMean, Pooling::kMax}) {
    const Status status = embedder->EmbedBatch(texts, vectors, {}, {.pooling = pooling});
    EXPECT_EQ(status.code(), Code::kCorrupt) << PoolingName(pooling);
    EXPECT_TRUE(Contains(status, "texts[1]: ")) << status.message();
  }
  EXPECT_TRUE(embedder->EmbedBatch(std::span(texts).first(1), std::span(vectors).first(64)).ok());
}

TEST_P(DamagedWeights, EachOfSixtyFlippedBitsIsRefusedWithVerifyAndNeverCrashesWithout) {
  TemporaryFolder folder;
  const std::string good = test::ReadFile(ValidModel(folder.path(), GetParam()));
  const std::size_t begin = DataBegin(good);
  const std::size_t end = begin + Header(good)["receipt.golden_texts"]["data_offsets"][0].get<std::size_t>();
  const std::string path = folder.File("flipped.safetensors");
  ASSERT_TRUE(WriteFile(path, good).ok());
  const auto expected = OpenAndEmbed(path, {.verify = true});
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  std::size_t silent = 0;
  for (int i = 0; i < 60; ++i) {
    std::string file = good;
    file[begin + random() % (end - begin)] ^= static_cast<char>(1u << random() % 8);
    ASSERT_TRUE(WriteFile(path, file).ok());
    for (const Load load : {Load::kMap, Load::kCopy}) {
      const Status refused = Model::Open(path, {.load = load, .verify = true}).status();
      EXPECT_EQ(refused.code(), Code::kCorrupt) << "flip " << i << ": " << refused.message();
    }
    const auto found = OpenAndEmbed(path);
    if (!found.ok()) continue;
    for (const float value : *found) ASSERT_TRUE(std::isfinite(value));
    silent += *found != *expected;
  }
  // What --verify is for.
  EXPECT_GT(silent, 0u);
}

INSTANTIATE_TEST_SUITE_P(Dtypes, DamagedWeights,
                         testing::Values(Dtype::kFp32, Dtype::kFp16, Dtype::kQ8, Dtype::kQ6, Dtype::kQ4),
                         [](const auto& param) { return test::DtypeTestName(param.param); });

// Writes the test model with a Dense module of equal weights in the place of each activation, then converts it to fp32.
Status ConvertWithDense(const std::string& source, const std::string& path, const std::vector<std::string>& activations,
                        float weight) {
  fs::create_directory(source);
  THIMBLE_RETURN_IF_ERROR(test::WriteTestModel(source));
  ordered_json modules = ordered_json::parse(test::ReadFile(source + "/modules.json"));
  modules.erase(2);
  const std::vector<float> weights(64 * 64, weight);
  const std::string header = R"({"linear.weight":{"dtype":"F32","shape":[64,64],"data_offsets":[0,16384]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  file += header + std::string(reinterpret_cast<const char*>(weights.data()), 4 * weights.size());
  for (std::size_t i = 0; i < activations.size(); ++i) {
    const std::string name = std::to_string(2 + i) + "_Dense";
    modules.push_back({{"idx", 2 + i}, {"path", name}, {"type", "sentence_transformers.models.Dense"}});
    const ordered_json config = {{"in_features", 64},
                                 {"out_features", 64},
                                 {"bias", false},
                                 {"activation_function", "torch.nn.modules." + activations[i]}};
    fs::create_directory(source + "/" + name);
    THIMBLE_RETURN_IF_ERROR(WriteFile(source + "/" + name + "/config.json", config.dump()));
    THIMBLE_RETURN_IF_ERROR(WriteFile(source + "/" + name + "/model.safetensors", file));
  }
  THIMBLE_RETURN_IF_ERROR(WriteFile(source + "/modules.json", modules.dump()));
  ConvertOptions options;
  options.dtype = DtypeName(Dtype::kFp32);
  options.calibrate = false;
  return ConvertModel(source, path, options);
}

// An activation that ends at a number would hide infinities.
TEST(DamagedHead, ADenseModuleThatIsNotFiniteIsNeverEmbeddedWith) {
  for (const char* activation : {"activation.Tanh", "activation.ReLU"}) {
    TemporaryFolder folder;
    const std::string path = folder.File("model.safetensors");
    const Status converted = ConvertWithDense(folder.File("source"), path, {activation}, 0.1f);
    ASSERT_TRUE(converted.ok()) << converted.message();
    ASSERT_TRUE(OpenAndEmbed(path).ok()) << OpenAndEmbed(path).status().message();
    std::string file = test::ReadFile(path);
    SetElement(file, Header(file)["head.0.weight"], 3, -std::numeric_limits<float>::infinity());
    ASSERT_TRUE(WriteFile(path, file).ok());
    const auto found = OpenAndEmbed(path);
    ASSERT_FALSE(found.ok()) << activation;
    EXPECT_TRUE(Contains(found.status(), "texts[0]: ")) << found.status().message();
  }
}

TEST(DamagedSource, WeightsThatOverflowAreNotConverted) {
  TemporaryFolder folder;
  const std::string path = folder.File("model.safetensors");
  const Status status =
      ConvertWithDense(folder.File("source"), path, std::vector<std::string>(3, "linear.Identity"), 9e14f);
  EXPECT_EQ(status.code(), Code::kUnsupported) << status.message();
  EXPECT_TRUE(Contains(status, "not finite")) << status.message();
  EXPECT_FALSE(fs::exists(path));
}

class ChangedWhileOpen : public testing::Test {
 protected:
  void SetUp() override {
    path_ = ValidModel(folder_.path(), Dtype::kQ8);
    TemporaryFolder other;
    other_ = test::ReadFile(ValidModel(other.path(), Dtype::kQ8, 2));
    good_ = test::ReadFile(path_);
    expected_ = *OpenAndEmbed(path_);
    ASSERT_EQ(other_.size(), good_.size());
  }
  // As cp: the same file gets other bytes.
  void Overwrite(const std::string& contents) {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.write(contents.data(), static_cast<std::streamsize>(contents.size()));
    file.close();
    fs::resize_file(path_, contents.size());
    ASSERT_TRUE(file.good());
  }
  // As mv: another file gets the name.
  void Rename(const std::string& contents) {
    ASSERT_TRUE(WriteFile(path_ + ".new", contents).ok());
    fs::rename(path_ + ".new", path_);
  }
  std::vector<float> Fresh() {
    const auto found = OpenAndEmbed(path_);
    EXPECT_TRUE(found.ok()) << found.status().message();
    return *found;
  }
  void ExpectChanged(const Status& status) {
    EXPECT_EQ(status.code(), Code::kCorrupt) << status.message();
    EXPECT_TRUE(Contains(status, path_ + ": was changed while it was open")) << status.message();
    EXPECT_TRUE(Contains(status, "open it again")) << status.message();
  }

  TemporaryFolder folder_;
  std::string path_, good_, other_;
  std::vector<float> expected_;
};

TEST_F(ChangedWhileOpen, AnotherModelOverItIsNoticedByEveryCall) {
  auto model = Model::Open(path_);
  ASSERT_TRUE(Embed(*model).ok());
  Overwrite(other_);
  ExpectChanged(Embed(*model).status());
  ExpectChanged(Embed(*model, {}, 2).status());
  ExpectChanged((*model)->Tokenize("hello").status());
  auto embedder = Embedder::Create(*model);
  std::vector<float> rows(embedder->plan().max_tokens * 64);
  ExpectChanged(embedder->EmbedTokens("hello", rows).status());
  const std::int32_t ids[] = {2, 7, 3};
  ExpectChanged(embedder->EmbedIds(ids, std::span(rows).first(3 * 64)));
  ExpectChanged(Verify(*model).status());
}

TEST_F(ChangedWhileOpen, ATruncatedOneIsNotTouched) {
  auto model = Model::Open(path_);
  for (const std::size_t size : {good_.size() / 2, std::size_t{100}, std::size_t{0}}) {
    fs::resize_file(path_, size);
    const Status status = Embed(*model).status();
    ExpectChanged(status);
    EXPECT_TRUE(Contains(status, "had " + std::to_string(good_.size()) + " bytes, has " + std::to_string(size)))
        << status.message();
  }
  fs::resize_file(path_, good_.size() + 4096);
  ExpectChanged(Embed(*model).status());
}

TEST_F(ChangedWhileOpen, OtherBytesWithTheOldTimeAreNoticed) {
  for (const bool verify : {false, true}) {
    ASSERT_NO_FATAL_FAILURE(Overwrite(good_));
    struct stat before;
    ASSERT_EQ(stat(path_.c_str(), &before), 0);
    const timespec times[] = {before.st_atim, before.st_mtim};
    auto model = Model::Open(path_, {.verify = verify});
    ASSERT_TRUE(model.ok());
    ASSERT_TRUE(Embed(*model).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // A step of the file system's clock.
    Overwrite(other_.replace(0, DataBegin(other_), good_, 0, DataBegin(good_)));
    ASSERT_EQ(utimensat(AT_FDCWD, path_.c_str(), times, 0), 0);  // As cp -p.
    ExpectChanged(Embed(*model).status());
    EXPECT_EQ(Model::Open(path_, {.verify = true}).status().code(), Code::kCorrupt);
  }
}

TEST_F(ChangedWhileOpen, NamesLinksAndPermissionsAreNoChange) {
  auto model = Model::Open(path_);
  const auto expect_same = [&](const char* what) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const auto found = Embed(*model);
    ASSERT_TRUE(found.ok()) << what << ": " << found.status().message();
    EXPECT_EQ(*found, expected_) << what;
  };
  expect_same("nothing");
  ASSERT_EQ(chmod(path_.c_str(), 0), 0);
  expect_same("chmod");
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  fs::create_hard_link(path_, path_ + ".link");
  expect_same("link");
  fs::remove(path_ + ".link");
  expect_same("link removed");
  fs::rename(path_, path_ + ".old");
  expect_same("renamed");
  fs::rename(path_ + ".old", path_);
  Rename(other_);
  expect_same("another file renamed over it");
  fs::remove(path_);
  fs::create_directory(path_);
  expect_same("a folder in its place");
}

TEST_F(ChangedWhileOpen, ACopyIsNotAffected) {
  auto model = Model::Open(path_, {.load = Load::kCopy});
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(*Embed(*model), expected_);
  Overwrite(other_);
  EXPECT_EQ(*Embed(*model), expected_);
  fs::resize_file(path_, 100);
  EXPECT_EQ(*Embed(*model), expected_);
  EXPECT_EQ((*model)->Tokenize("hello")->ids,
            (*Model::Open(ValidModel(folder_.path(), Dtype::kQ8)))->Tokenize("hello")->ids);
  const auto verified = Verify(*model);
  ASSERT_TRUE(verified.ok()) << verified.status().message();
  EXPECT_TRUE(verified->ok());
}

TEST_F(ChangedWhileOpen, ACopyIsPlannedAsPrivateMemory) {
  auto mapped = Embedder::MakePlan(**Model::Open(path_));
  auto model = Model::Open(path_, {.load = Load::kCopy});
  auto copied = Embedder::MakePlan(**model);
  EXPECT_EQ(mapped->mapped_bytes, good_.size());
  EXPECT_EQ(copied->mapped_bytes, 0u);
  EXPECT_GE(copied->fixed_bytes, mapped->fixed_bytes + good_.size());
  EXPECT_LE(copied->fixed_bytes, mapped->fixed_bytes + good_.size() + (64 << 10));
  EXPECT_EQ(Embedder::Create(*model, {.max_memory = mapped->peak_bytes}).status().code(), Code::kOutOfMemory);
  auto pool = ModelPool::Create({.max_memory = copied->peak_bytes, .open = {.load = Load::kCopy}});
  auto lease = pool->Acquire(path_);
  ASSERT_TRUE(lease.ok()) << lease.status().message();
  std::vector<float> vector(64);
  ASSERT_TRUE(lease->Embed(kTexts[0], vector).ok());
  const PoolStats stats = *pool->Stats();
  EXPECT_EQ(stats.models[0].mapped_bytes, 0u);
  EXPECT_GE(stats.models[0].private_bytes, good_.size());
  EXPECT_LE(stats.used_memory, copied->peak_bytes);
}

TEST_F(ChangedWhileOpen, VerifyRefusesAFileWithoutAHash) {
  const std::string key = "weights.sha256";
  std::string file = good_;
  file.replace(file.find(key), key.size(), "weights_sha256");
  ASSERT_TRUE(WriteFile(path_, file).ok());
  EXPECT_TRUE(Model::Open(path_).ok());
  const Status status = Model::Open(path_, {.verify = true}).status();
  EXPECT_EQ(status.code(), Code::kUnsupported);
  EXPECT_TRUE(Contains(status, "records no hash of its weights")) << status.message();
  EXPECT_TRUE(Contains(status, "convert or pull")) << status.message();
}

TEST_F(ChangedWhileOpen, VerifyRefusesAWrongHash) {
  std::string file = good_;
  const std::size_t at = file.find("\"weights.sha256\":\"") + 18;
  file[at] = file[at] == '0' ? '1' : '0';
  ASSERT_TRUE(WriteFile(path_, file).ok());
  const Status status = Model::Open(path_, {.verify = true}).status();
  EXPECT_EQ(status.code(), Code::kCorrupt);
  EXPECT_TRUE(Contains(status, "expected " + file.substr(at, 64))) << status.message();
}

TEST_F(ChangedWhileOpen, MocksHaveNothingToVerify) {
  EXPECT_TRUE(Model::Open("mock", {.load = Load::kCopy, .verify = true}).ok());
}

#ifdef __linux__
std::uint64_t BytesRead() {
  std::ifstream file("/proc/self/io");
  std::string key;
  std::uint64_t value = 0;
  file >> key >> value;
  return value;
}

TEST_F(ChangedWhileOpen, VerifyReadsAFileOnceUntilItChanges) {
  const auto read_by_opening = [&] {
    const std::uint64_t before = BytesRead();
    EXPECT_TRUE(Model::Open(path_, {.verify = true}).ok());
    return BytesRead() - before;
  };
  const std::uint64_t whole = good_.size() / 2;  // More than anything else reads.
  // As if written just now, however long this takes: a write at the same time would not show.
  std::filesystem::last_write_time(path_, std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  if (read_by_opening() < whole) GTEST_SKIP() << "/proc/self/io does not count";
  EXPECT_GT(read_by_opening(), whole);
  std::filesystem::last_write_time(path_, std::filesystem::file_time_type::clock::now());
  std::this_thread::sleep_for(std::chrono::milliseconds(2200));
  EXPECT_GT(read_by_opening(), whole);
  EXPECT_LT(read_by_opening(), whole);
  Overwrite(good_);
  EXPECT_GT(read_by_opening(), whole);
}
#endif

class ChangedInPool : public ChangedWhileOpen {
 protected:
  ModelPool Pool(PoolOptions options = {}) {
    options.unload_after.reset();
    return *ModelPool::Create(options);
  }
  Result<std::vector<float>> EmbedIn(Lease& lease) {
    std::vector<float> vectors(std::size(kTexts) * 64);
    const Status status = lease.EmbedBatch(kTexts, vectors);
    if (!status.ok()) return status;
    return vectors;
  }
  Result<std::vector<float>> EmbedIn(ModelPool& pool) {
    auto lease = pool.Acquire(path_);
    if (!lease.ok()) return lease.status();
    return EmbedIn(*lease);
  }
};

TEST_F(ChangedInPool, TheNextLeaseHasTheNewModel) {
  for (const bool renamed : {false, true}) {
    for (const Load load : {Load::kMap, Load::kCopy}) {
      Rename(good_);
      ModelPool pool = Pool({.open = {.load = load}});
      EXPECT_EQ(*EmbedIn(pool), expected_);
      renamed ? Rename(other_) : Overwrite(other_);
      const auto found = EmbedIn(pool);
      ASSERT_TRUE(found.ok()) << found.status().message();
      EXPECT_EQ(*found, Fresh());
      EXPECT_NE(*found, expected_);
      const PoolStats stats = *pool.Stats();
      EXPECT_EQ(stats.loads, 2u);
      EXPECT_EQ(stats.models.size(), 1u);
      EXPECT_EQ(*EmbedIn(pool), *found);
      EXPECT_EQ(pool.Stats()->loads, 2u);
    }
  }
}

TEST_F(ChangedInPool, OtherBytesWithTheOldTimeToo) {
  struct stat before;
  ASSERT_EQ(stat(path_.c_str(), &before), 0);
  const timespec times[] = {before.st_atim, before.st_mtim};
  ModelPool pool = Pool();
  EXPECT_EQ(*EmbedIn(pool), expected_);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  Overwrite(other_);
  ASSERT_EQ(utimensat(AT_FDCWD, path_.c_str(), times, 0), 0);
  const auto found = EmbedIn(pool);
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_EQ(*found, Fresh());
}

TEST_F(ChangedInPool, LeasesKeepWhatTheyHave) {
  ModelPool pool = Pool();
  {
    auto lease = pool.Acquire(path_);
    EXPECT_EQ(*EmbedIn(*lease), expected_);
    Rename(other_);
    EXPECT_EQ(*EmbedIn(pool), Fresh());
    EXPECT_EQ(*EmbedIn(*lease), expected_);
    EXPECT_EQ(pool.Stats()->models.size(), 2u);
  }
  EXPECT_EQ(pool.Stats()->models.size(), 1u);
  EXPECT_EQ(*EmbedIn(pool), Fresh());
  EXPECT_EQ(pool.Stats()->loads, 2u);
}

TEST_F(ChangedInPool, APinGoesToTheNewModel) {
  ModelPool pool = *ModelPool::Create({.unload_after = std::chrono::milliseconds(0)});
  ASSERT_TRUE(pool.Pin(path_).ok());
  Rename(other_);
  EXPECT_EQ(*EmbedIn(pool), Fresh());
  const PoolStats stats = *pool.Stats();
  ASSERT_EQ(stats.models.size(), 1u);
  EXPECT_TRUE(stats.models[0].pinned);
  pool.Unpin(path_);
}

TEST_F(ChangedInPool, AFileThatIsGoneOrUnreadableIsNoChange) {
  ModelPool pool = Pool();
  EXPECT_EQ(*EmbedIn(pool), expected_);
  ASSERT_EQ(chmod(path_.c_str(), 0), 0);
  EXPECT_EQ(*EmbedIn(pool), expected_);
  fs::remove(path_);
  EXPECT_EQ(*EmbedIn(pool), expected_);
  fs::create_directory(path_);
  EXPECT_EQ(*EmbedIn(pool), expected_);
  EXPECT_EQ(pool.Stats()->loads, 1u);
}

TEST_F(ChangedInPool, ManyThreadsLoadItOnce) {
  ModelPool pool = Pool();
  EXPECT_EQ(*EmbedIn(pool), expected_);
  Rename(other_);
  const std::vector<float> fresh = Fresh();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) EXPECT_EQ(*EmbedIn(pool), fresh);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.Stats()->loads, 2u);
  EXPECT_EQ(pool.Stats()->models.size(), 1u);
}

TEST_F(ChangedInPool, VerifyIsAnOptionOfThePool) {
  std::string file = good_;
  file[DataBegin(file) + 100] ^= 1;
  Rename(file);
  ModelPool pool = Pool({.open = {.verify = true}});
  EXPECT_EQ(EmbedIn(pool).status().code(), Code::kCorrupt);
  EXPECT_EQ(pool.MakePlan(path_).status().code(), Code::kCorrupt);
  Rename(good_);
  EXPECT_EQ(*EmbedIn(pool), expected_);
}

TEST(Pull, ChecksWhatIsThere) {
  TemporaryFolder folder;
  const std::string source = folder.File("tiny"), cache = folder.File("cache");
  fs::create_directory(source);
  ASSERT_TRUE(test::WriteTestModel(source).ok());
  PullOptions options = {.folder = cache};
  const auto made = PullModel(source, options);
  ASSERT_TRUE(made.ok()) << made.status().message();
  std::string file = test::ReadFile(made->model.path);
  file[DataBegin(file) + 1000] ^= 4;
  ASSERT_TRUE(WriteFile(made->model.path, file).ok());
  const Status status = PullModel(source, options).status();
  EXPECT_EQ(status.code(), Code::kCorrupt) << status.message();
  EXPECT_TRUE(Contains(status, "do not match the recorded hash")) << status.message();
  EXPECT_TRUE(Contains(status, "`force`")) << status.message();
  options.force = true;
  EXPECT_TRUE(PullModel(source, options).ok());
  options.force = false;
  EXPECT_TRUE(PullModel(source, options).ok());
}

}  // namespace
}  // namespace thimble
