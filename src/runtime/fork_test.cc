// Embedders, pools and executors in the child of a fork, whatever other threads were doing; and a second caller.

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/processors.h"
#include "runtime/executor.h"
#include "tests/support/child.h"
#include "tests/support/test_model.h"
#include "thimble/pool.h"

namespace thimble::runtime {
namespace {

using std::chrono::milliseconds;
using test::ExitCodeOfChild;

class Fork : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new test::TemporaryFolder();
    auto path = test::ConvertTestModel(folder_->path(), format::Dtype::kQ8, {});
    ASSERT_TRUE(path.ok()) << path.status().message();
    path_ = new std::string(*path);
  }
  static void TearDownTestSuite() {
    delete path_;
    delete folder_;
  }

  void SetUp() override {
    if (!test::kChildrenMayHaveThreads || !test::kOthersMayAllocate) GTEST_SKIP() << "the sanitizer does not allow it";
  }

  static ModelPool MakePool(PoolOptions options = {}) {
    options.max_wait = std::chrono::seconds(10);
    auto pool = ModelPool::Create(options);
    EXPECT_TRUE(pool.ok()) << pool.status().message();
    return *std::move(pool);
  }
  // Exit code 0 for the same vector as before the fork.
  static int Same(Lease& lease, const std::vector<float>& expected) {
    std::vector<float> found(expected.size());
    auto report = lease.Embed("hello", found);
    if (!report.ok()) return 2;
    return found == expected ? 0 : 3;
  }
  static std::vector<float> Embed(Lease& lease) {
    std::vector<float> vector(lease.model().dimensions());
    EXPECT_TRUE(lease.Embed("hello", vector).ok());
    return vector;
  }

  static test::TemporaryFolder* folder_;
  static std::string* path_;
};
test::TemporaryFolder* Fork::folder_ = nullptr;
std::string* Fork::path_ = nullptr;

TEST_F(Fork, AnEmbedderGivesTheSameVectors) {
  auto model = Model::Open(*path_);
  ASSERT_TRUE(model.ok());
  for (std::size_t threads : {1, 3}) {
    auto embedder = Embedder::Create(*model, {.threads = threads});
    ASSERT_TRUE(embedder.ok());
    const std::vector<std::string_view> texts(40, "some words of a text");
    std::vector<float> expected(texts.size() * embedder->dimensions());
    ASSERT_TRUE(embedder->EmbedBatch(texts, expected).ok());
    EXPECT_EQ(ExitCodeOfChild([&] {
                std::vector<float> found(expected.size());
                for (int i = 0; i < 20; ++i) {
                  if (!embedder->EmbedBatch(texts, found).ok()) return 2;
                  if (found != expected) return 3;
                }
                Embedder ended = *std::move(embedder);
                return 0;
              }),
              0)
        << threads;
    EXPECT_EQ(ExitCodeOfChild([&] {
                Embedder ended = *std::move(embedder);
                return 0;
              }),
              0)
        << threads;
  }
}

// The child of a program that forks while another thread is in the embedder, and then uses it itself.
TEST_F(Fork, AnEmbedderThatWasInUseIsFree) {
  auto model = Model::Open(*path_);
  ASSERT_TRUE(model.ok());
  auto embedder = Embedder::Create(*model, {.threads = 2});
  ASSERT_TRUE(embedder.ok());
  std::vector<float> expected(embedder->dimensions());
  ASSERT_TRUE(embedder->Embed("hello", expected).ok());
  const std::vector<std::string_view> texts(300, "some words of a text");
  std::atomic<bool> stop = false;
  std::thread user([&] {
    std::vector<float> vectors(texts.size() * embedder->dimensions());
    while (!stop) EXPECT_TRUE(embedder->EmbedBatch(texts, vectors).ok());
  });
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(ExitCodeOfChild([&] {
                std::vector<float> found(expected.size());
                if (!embedder->Embed("hello", found).ok()) return 2;
                return found == expected ? 0 : 3;
              }),
              0);
  }
  stop = true;
  user.join();
}

TEST_F(Fork, APoolWorksAndEnds) {
  for (std::size_t threads : {1, 2}) {
    std::optional<ModelPool> pool = MakePool({.embedder = {.threads = threads}});
    auto acquired = pool->Acquire(*path_);
    ASSERT_TRUE(acquired.ok());
    std::optional<Lease> lease = *std::move(acquired);
    const std::vector<float> expected = Embed(*lease);
    EXPECT_EQ(ExitCodeOfChild([&] {
                if (const int code = Same(*lease, expected); code != 0) return code;
                auto another = pool->Acquire(*path_);
                if (!another.ok()) return 4;
                if (const int code = Same(*another, expected); code != 0) return code;
                const int grandchild = ExitCodeOfChild([&] { return Same(*lease, expected); });
                lease.reset();
                pool.reset();
                return grandchild;
              }),
              0)
        << threads;
    EXPECT_EQ(ExitCodeOfChild([&] {
                pool.reset();
                lease.reset();
                return 0;
              }),
              0)
        << threads;
    EXPECT_EQ(Embed(*lease), expected);
  }
}

TEST_F(Fork, APoolThatOtherThreadsUseIsConsistent) {
  ModelPool pool = MakePool({.unload_after = milliseconds(0), .embedder = {.threads = 2}});
  std::vector<float> expected;
  {
    auto lease = pool.Acquire(*path_);
    ASSERT_TRUE(lease.ok());
    expected = Embed(*lease);
  }
  std::atomic<bool> stop = false;
  auto use = [&](auto&& work) {
    return std::thread([&, work] {
      while (!stop) work();
    });
  };
  auto keeps = pool.Acquire(*path_);
  ASSERT_TRUE(keeps.ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) threads.push_back(use([&] { EXPECT_EQ(Same(*keeps, expected), 0); }));
  // Loads and unloads all the time.
  threads.push_back(use([&] { EXPECT_TRUE(pool.Acquire("mock-hashed").ok()); }));
  threads.push_back(use([&] { EXPECT_TRUE(pool.Reserve(1000).ok()); }));
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(ExitCodeOfChild([&] {
                if (const int code = Same(*keeps, expected); code != 0) return code;
                if (!pool.Acquire("mock-hashed").ok()) return 4;
                auto stats = pool.Stats();
                if (!stats.ok()) return 5;
                // What the models have is what the budget has lost; a reservation of a thread that is no more may be
                // left.
                std::size_t bytes = 0;
                for (const ModelStats& model : stats->models) bytes += model.private_bytes;
                if (stats->used_memory != bytes && stats->used_memory != bytes + 1000) return 6;
                ModelPool ended = std::move(pool);
                return 0;
              }),
              0);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Fork, ThePoolOfAChildUnloadsInTime) {
  ModelPool pool = MakePool({.unload_after = milliseconds(50)});
  {
    auto lease = pool.Acquire(*path_);
    ASSERT_TRUE(lease.ok());
    Embed(*lease);
    EXPECT_EQ(ExitCodeOfChild([&] {
                {
                  Lease ended = *std::move(lease);
                }
                for (int i = 0; i < 400; ++i) {
                  usleep(10'000);
                  // Does not look into the pool, which would do what is due.
                  std::ifstream maps("/proc/self/maps");
                  const std::string text((std::istreambuf_iterator<char>(maps)), {});
                  if (text.find(*path_) == std::string::npos) return 0;
                }
                return 2;
              }),
              0);
  }
}

class Note final : public Job {
 public:
  explicit Note(std::atomic<int>& runs) : runs_(runs) {}
  void Run() override {
    ++runs_;
    runs_.notify_all();
  }

 private:
  std::atomic<int>& runs_;
};

class Blocker final : public Job {
 public:
  Blocker(std::atomic<std::size_t>& started, std::atomic<int>& open) : started_(started), open_(open) {}
  void Run() override {
    ++started_;
    open_.wait(0);
  }

 private:
  std::atomic<std::size_t>& started_;
  std::atomic<int>& open_;
};

TEST(ExecutorFork, AChildBeginsWithoutJobsAndRunsItsOwn) {
  if (!test::kChildrenMayHaveThreads) GTEST_SKIP() << "ThreadSanitizer does not allow it";
  std::atomic<int> open = 0, runs = 0, later = 0;
  std::atomic<std::size_t> started = 0;
  auto executor = std::make_unique<Executor>();  // Ends before what its jobs refer to.
  const std::size_t threads = base::UsableProcessors();
  for (std::size_t i = 0; i < threads + 62; ++i) {
    ASSERT_TRUE(executor->Submit(std::make_shared<Blocker>(started, open)).ok());
  }
  while (started < threads) std::this_thread::yield();  // A thread that starts allocates: test::kOthersMayAllocate.
  auto queued = std::make_shared<Note>(runs);
  const std::weak_ptr<Note> seen = queued;
  ASSERT_TRUE(executor->Submit(std::move(queued)).ok());
  EXPECT_EQ(ExitCodeOfChild([&] {
              if (!executor->Submit(std::make_shared<Note>(later)).ok()) return 2;
              if (!seen.expired()) return 3;
              later.wait(0);
              executor.reset();
              return runs == 0 ? 0 : 4;
            }),
            0);
  EXPECT_EQ(ExitCodeOfChild([&] {
              executor.reset();
              return seen.expired() ? 0 : 3;
            }),
            0);
  open = 1;
  open.notify_all();
  runs.wait(0);
}

class Callers : public Fork {
 protected:
  void SetUp() override {}
};

TEST_F(Callers, AreRefusedDuringTheCallOfAnotherThread) {
  auto model = Model::Open(*path_);
  ASSERT_TRUE(model.ok());
  auto embedder = Embedder::Create(*model);
  ASSERT_TRUE(embedder.ok());
  const std::vector<std::string_view> texts(2000, "some words of a text that keep an embedder at work");
  std::vector<float> expected(embedder->dimensions()), vectors(texts.size() * embedder->dimensions());
  ASSERT_TRUE(embedder->Embed(texts[0], expected).ok());
  std::atomic<bool> over = false;
  std::thread first([&] {
    // It may be the second itself.
    while (embedder->EmbedBatch(texts, vectors).code() == Code::kInvalidArgument) continue;
    over = true;
  });
  int refused = 0;
  std::vector<float> rows(embedder->plan().max_tokens * embedder->dimensions());
  while (!over) {
    const Status status = embedder->EmbedTokens("hello", rows).status();
    if (status.ok()) continue;
    ++refused;
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_NE(status.message().find("another thread"), std::string::npos) << status.message();
    embedder->Release();  // Would take the memory from under the call.
  }
  first.join();
  EXPECT_GT(refused, 0);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<float> vector(vectors.begin() + i * expected.size(), vectors.begin() + (i + 1) * expected.size());
    ASSERT_EQ(vector, expected) << i;
  }
  EXPECT_TRUE(embedder->EmbedTokens("hello", rows).ok());
}

}  // namespace
}  // namespace thimble::runtime
