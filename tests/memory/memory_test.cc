// Memory comes back: after release, after unloading, after any number of cycles and texts. And plans hold.

#include "thimble/memory.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "format/dtypes.h"
#include "tests/support/test_model.h"
#include "thimble/pool.h"
#include "thimble/rerank.h"

// Sanitizers take memory of their own, so with them there is nothing to measure.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace thimble {
namespace {

using test::TemporaryFolder;

constexpr std::size_t kMegabyte = 1000 * 1000;

// The shape of all-MiniLM-L6-v2 but for fewer layers and words.
test::TestModelOptions LargeModel() {
  test::TestModelOptions options;
  options.hidden = 384;
  options.heads = 12;
  options.intermediate = 1536;
  options.layers = 2;
  options.positions = 512;
  options.max_seq_length = 256;
  options.extra_vocabulary = 4000;
  return options;
}

// Converted once for all tests.
const std::string& ModelPath(format::Dtype dtype) {
  static TemporaryFolder folder;
  static std::string paths[8];
  std::string& path = paths[static_cast<std::size_t>(dtype)];
  if (path.empty()) {
    std::string own = folder.File(std::string(format::DtypeName(dtype)));
    std::filesystem::create_directory(own);
    auto converted = test::ConvertTestModel(own, dtype, LargeModel());
    EXPECT_TRUE(converted.ok()) << converted.status().message();
    path = *converted;
    malloc_trim(0);
  }
  return path;
}

ProcessMemory Now() {
  auto memory = MeasureMemory();
  EXPECT_TRUE(memory.ok()) << memory.status().message();
  return *memory;
}

// `count` texts of 1 to 400 words, the same for the same seed.
std::vector<std::string> RandomTexts(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  const char* words[] = {"the", "memory", "of", "a", "small", "vector", "is", "good", "playing", "42"};
  std::vector<std::string> texts(count);
  for (std::string& text : texts) {
    for (std::size_t n = random() % 8 == 0 ? random() % 400 : random() % 12 + 1; n > 0; --n) {
      text += words[random() % 10];
      text += ' ';
    }
  }
  return texts;
}

// Embeds texts[i] for all i; false when that fails.
template <typename Embeds>
bool EmbedAll(Embeds& embeds, const std::vector<std::string>& texts, std::vector<float>& vectors) {
  std::vector<std::string_view> views(texts.begin(), texts.end());
  vectors.resize(texts.size() * 384);
  return embeds.EmbedBatch(views, vectors).ok();
}

TEST(Memory, MeasuresThisProcess) {
  const ProcessMemory before = Now();
  constexpr std::size_t kSize = 8 << 20;
  volatile char* block = static_cast<volatile char*>(std::malloc(kSize));
  for (std::size_t i = 0; i < kSize; i += 4096) block[i] = 1;
  const ProcessMemory with = Now();
  std::free(const_cast<char*>(block));
  const ProcessMemory after = Now();
  for (auto figure : {&ProcessMemory::private_bytes, &ProcessMemory::rss_bytes, &ProcessMemory::pss_bytes,
                      &ProcessMemory::data_bytes}) {
    // Other processes that start and end change what this one shares.
    EXPECT_GE(with.*figure, before.*figure + kSize - (figure == &ProcessMemory::pss_bytes ? kSize / 2 : 0));
    EXPECT_LT(after.*figure, before.*figure + kSize / 2);
  }
  // The kernel counts resident pages for each thread and adds them up now and then.
  EXPECT_GE(after.peak_rss_bytes, before.rss_bytes + kSize - kMegabyte);
  EXPECT_EQ(MeasureMemory(1 << 30).status().code(), Code::kNotFound);
}

class MemoryOfEveryDtype : public testing::TestWithParam<format::Dtype> {};
INSTANTIATE_TEST_SUITE_P(Memory, MemoryOfEveryDtype,
                         testing::Values(format::Dtype::kFp32, format::Dtype::kFp16, format::Dtype::kQ8,
                                         format::Dtype::kQ6, format::Dtype::kQ4, format::Dtype::kQ4Small),
                         [](const auto& dtype) { return test::DtypeTestName(dtype.param); });

TEST_P(MemoryOfEveryDtype, StaysWithinItsPlanAndFillsIt) {
  const std::string& path = ModelPath(GetParam());
  // Enough that every thread has a full tile.
  const std::vector<std::string> texts = RandomTexts(200, 1);
  std::vector<float> vectors(texts.size() * 384, 1.0f);
  for (std::size_t threads : {1, 2}) {
    malloc_trim(0);
    const std::size_t before = Now().private_bytes;
    auto model = Model::Open(path);
    ASSERT_TRUE(model.ok());
    EmbedderOptions options;
    options.threads = threads;
    auto plan = Embedder::MakePlan(**model, options);
    ASSERT_TRUE(plan.ok());
    EXPECT_EQ(plan->mapped_bytes, std::filesystem::file_size(path));
    EXPECT_EQ(plan->peak_bytes, plan->fixed_bytes + threads * plan->scratch_bytes);
    auto embedder = Embedder::Create(*model, options);
    ASSERT_TRUE(embedder.ok());
    ASSERT_TRUE(EmbedAll(*embedder, texts, vectors));
    const std::size_t taken = Now().private_bytes - before;
    RecordProperty("taken_of_plan_percent", static_cast<int>(taken * 100 / plan->peak_bytes));
    EXPECT_LE(taken, plan->peak_bytes) << threads << " threads";
    EXPECT_GE(taken * 10, plan->peak_bytes * 8) << threads << " threads";
    embedder->Release();
    EXPECT_LE(Now().private_bytes, before + plan->fixed_bytes) << threads << " threads";
  }
}

TEST(Memory, ComesBackAfterUnloadingAndDoesNotDrift) {
  const std::string& path = ModelPath(format::Dtype::kQ8);
  const std::vector<std::string> texts = RandomTexts(64, 2);
  std::vector<float> vectors(texts.size() * 384, 1.0f);
  auto pool = ModelPool::Create();
  ASSERT_TRUE(pool.ok());
  const ProcessMemory before = Now();
  ProcessMemory first;
  for (int cycle = 0; cycle < 100; ++cycle) {
    {
      auto lease = pool->Acquire(path);
      ASSERT_TRUE(lease.ok());
      const std::vector<std::string> few(texts.begin(), texts.begin() + cycle % 5);
      std::vector<float> some;
      ASSERT_TRUE(cycle == 0 ? EmbedAll(*lease, texts, vectors) : EmbedAll(*lease, few, some));
      EXPECT_GT(Now().rss_bytes, before.rss_bytes);
    }
    pool->Unload(path);
    if (cycle == 0) first = Now();
  }
  const ProcessMemory after = Now();
  EXPECT_LE(first.rss_bytes, before.rss_bytes + 2 * kMegabyte);
  EXPECT_LE(after.rss_bytes, before.rss_bytes + 2 * kMegabyte);
  EXPECT_LE(after.private_bytes, before.private_bytes + 2 * kMegabyte);
  EXPECT_LE(after.private_bytes, first.private_bytes + kMegabyte / 10);
}

// The short form of what make bench-memory does with a million.
TEST(Memory, DoesNotGrowWithTheNumberOfTexts) {
  auto model = Model::Open(ModelPath(format::Dtype::kQ8));
  ASSERT_TRUE(model.ok());
  EmbedderOptions options;
  options.max_tokens = 64;
  auto embedder = Embedder::Create(*model, options);
  ASSERT_TRUE(embedder.ok());
  const std::vector<std::string> texts = RandomTexts(1000, 3);
  std::vector<float> vectors;
  ASSERT_TRUE(EmbedAll(*embedder, texts, vectors));
  const std::size_t before = Now().rss_bytes;
  for (int round = 0; round < 10; ++round) ASSERT_TRUE(EmbedAll(*embedder, texts, vectors));
  EXPECT_LE(Now().rss_bytes, before + kMegabyte / 10);
}

TEST(Memory, OfALongTextInChunksIsThatOfAShortOne) {
  std::string text;
  while (text.size() < kMegabyte / 5) text += "the memory of a small vector ";
  std::vector<float> vector(384, 1.0f);
  const std::string path = ModelPath(format::Dtype::kQ8);  // Made by the first who asks.
  malloc_trim(0);
  const std::size_t before = Now().private_bytes;
  auto model = Model::Open(path);
  ASSERT_TRUE(model.ok());
  auto embedder = Embedder::Create(*model, {.max_tokens = 64});
  ASSERT_TRUE(embedder.ok());
  const VectorOptions chunk = {.long_texts = LongTexts::kChunk};
  for (std::size_t length : {std::size_t{2000}, text.size()}) {
    auto report = embedder->Embed(std::string_view(text).substr(0, length), vector, chunk);
    ASSERT_TRUE(report.ok());
    EXPECT_GT(report->chunks, length / 500);
    EXPECT_LE(Now().private_bytes, before + embedder->plan().peak_bytes) << report->chunks << " chunks";
  }
}

TEST(Memory, OfARerankerStaysWithinItsPlanWhateverTheQueryAndTheDocuments) {
  TemporaryFolder folder;
  test::TestModelOptions model_options = LargeModel();
  model_options.labels = 1;
  auto path = test::ConvertTestModel(folder.path(), format::Dtype::kQ8, model_options);
  ASSERT_TRUE(path.ok()) << path.status().message();
  std::string query;
  while (query.size() < kMegabyte / 5) query += "the memory of a small vector ";
  const std::vector<std::string> documents = RandomTexts(200, 4);
  const std::vector<std::string_view> views(documents.begin(), documents.end());
  std::vector<float> scores(documents.size(), 1.0f);
  for (std::size_t threads : {1, 2}) {
    malloc_trim(0);
    const std::size_t before = Now().private_bytes;
    auto model = Model::Open(*path);
    ASSERT_TRUE(model.ok());
    auto reranker = Reranker::Create(*model, {.threads = threads});
    ASSERT_TRUE(reranker.ok());
    const Plan& plan = reranker->plan();
    for (std::size_t length : {std::size_t{20}, query.size()}) {
      ASSERT_TRUE(reranker->Rank(std::string_view(query).substr(0, length), views, scores).ok());
      EXPECT_LE(Now().private_bytes - before, plan.peak_bytes) << threads << " threads, query of " << length;
    }
    EXPECT_GE((Now().private_bytes - before) * 10, plan.peak_bytes * 8) << threads << " threads";
    EXPECT_LE(plan.fixed_bytes + plan.scratch_bytes, 3 * kMegabyte);
    reranker->Release();
    EXPECT_LE(Now().private_bytes, before + plan.fixed_bytes) << threads << " threads";
  }
}

TEST(Memory, IdleScratchOfAPoolGoesBackByItself) {
  PoolOptions options;
  options.release_after = std::chrono::milliseconds(10);
  options.unload_after = std::chrono::milliseconds(100);
  auto pool = ModelPool::Create(options);
  ASSERT_TRUE(pool.ok());
  const std::vector<std::string> texts = RandomTexts(64, 4);
  std::vector<float> vectors(texts.size() * 384, 1.0f);
  const std::string path = ModelPath(format::Dtype::kQ8);
  const std::size_t before = Now().private_bytes;
  {
    auto lease = pool->Acquire(path);
    ASSERT_TRUE(lease.ok());
    ASSERT_TRUE(EmbedAll(*lease, texts, vectors));
    auto plan = Embedder::MakePlan(lease->model());
    ASSERT_TRUE(plan.ok());
    auto used = [&] { return pool->Stats()->used_memory; };
    for (int wait = 0; wait < 2000 && used() > plan->fixed_bytes; ++wait) usleep(1000);
    // Beside the plan of the embedder there is the pool, with the stack of its thread.
    EXPECT_LE(Now().private_bytes, before + plan->fixed_bytes + kMegabyte / 10);
  }
  for (int wait = 0; wait < 2000 && pool->Stats()->unloads == 0; ++wait) usleep(1000);
  EXPECT_EQ(pool->Stats()->unloads, 1u);
  EXPECT_EQ(pool->Stats()->used_memory, 0u);
}

}  // namespace
}  // namespace thimble

#endif  // No sanitizer.
