// Batches of waiting requests, with an engine that only counts.

#include "server/batcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <utility>

#include "base/error.h"
#include "base/processors.h"

namespace thimble::server {
namespace {

class BatcherTest : public testing::Test {
 protected:
  BatcherTest() { first_.info.dimensions = second_.info.dimensions = 1; }

  // A work whose vectors are the lengths of its texts.
  std::shared_ptr<EmbedWork> Work(std::vector<std::string> texts, const ServedModel* model = nullptr) {
    auto work = std::make_shared<EmbedWork>();
    work->model = model == nullptr ? &first_ : model;
    work->texts = std::move(texts);
    work->done = [this, raw = work.get()] { ++done_[raw]; };
    return work;
  }

  Status Embed(const ServedModel& model, std::span<const std::string_view> texts, const VectorOptions& options,
               std::span<float> vectors, std::span<Report> reports) {
    sizes_.push_back(texts.size());
    models_.push_back(&model);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (texts[i] == "bad") return Error(Code::kInvalidArgument, "texts[", options.first_index + i, "] is bad");
      vectors[i] = static_cast<float>(texts[i].size());
      reports[i].tokens = texts[i].size();
    }
    return Status();
  }

  // Without a thread: the tests take the batches.
  Batcher Make(std::size_t texts = 8, std::size_t bytes = 1000) {
    return Batcher([this](const ServedModel& model, std::span<const std::string_view> some,
                          const VectorOptions& options, std::span<float> vectors, std::span<Report> reports,
                          std::chrono::nanoseconds&) { return Embed(model, some, options, vectors, reports); },
                   executor_, {.texts = texts, .bytes = bytes, .threads = 0});
  }

  static void Submit(Batcher& batcher, const std::shared_ptr<EmbedWork>& work) {
    ASSERT_TRUE(batcher.Submit(work).ok());
  }

  ServedModel first_, second_;
  std::vector<std::size_t> sizes_;
  std::vector<const ServedModel*> models_;
  std::map<const EmbedWork*, int> done_;
  runtime::Executor executor_;
};

TEST_F(BatcherTest, RequestsOfOneModelShareABatch) {
  Batcher batcher = Make();
  const auto a = Work({"a", "bb"}), b = Work({"ccc"}), other = Work({"x"}, &second_), c = Work({"dddd"});
  for (const auto& work : {a, b, other, c}) Submit(batcher, work);
  EXPECT_EQ(batcher.stats().requests, 4u);
  EXPECT_EQ(batcher.stats().texts, 5u);
  EXPECT_TRUE(batcher.RunOne());
  EXPECT_TRUE(batcher.RunOne());
  EXPECT_FALSE(batcher.RunOne());
  EXPECT_EQ(sizes_, (std::vector<std::size_t>{4, 1}));
  EXPECT_EQ(models_, (std::vector<const ServedModel*>{&first_, &second_}));
  EXPECT_EQ(a->vectors, (std::vector<float>{1, 2}));
  EXPECT_EQ(c->vectors, (std::vector<float>{4}));
  EXPECT_EQ(c->reports[0].tokens, 4u);
  for (const auto& work : {a, b, other, c}) EXPECT_EQ(done_[work.get()], 1);
}

TEST_F(BatcherTest, OtherOptionsAreAnotherBatch) {
  Batcher batcher = Make();
  const auto a = Work({"a"}), b = Work({"b"});
  b->options.prompt_name = "query";
  Submit(batcher, a);
  Submit(batcher, b);
  while (batcher.RunOne()) continue;
  EXPECT_EQ(sizes_, (std::vector<std::size_t>{1, 1}));
}

TEST_F(BatcherTest, ALongRequestDelaysOthersByOneBatch) {
  Batcher batcher = Make(4);
  const auto large = Work(std::vector<std::string>(10, "a")), small = Work({"bb"}, &second_);
  Submit(batcher, large);
  Submit(batcher, small);
  batcher.RunOne();
  batcher.RunOne();
  EXPECT_EQ(done_[small.get()], 1);
  EXPECT_EQ(done_[large.get()], 0);
  while (batcher.RunOne()) continue;
  EXPECT_EQ(sizes_, (std::vector<std::size_t>{4, 1, 4, 2}));
  EXPECT_EQ(done_[large.get()], 1);
}

TEST_F(BatcherTest, BytesBoundABatchButNotOneText) {
  Batcher batcher = Make(8, 10);
  const auto a = Work({std::string(100, 'a'), "b", "c"}), b = Work({std::string(9, 'd')});
  Submit(batcher, a);
  Submit(batcher, b);
  while (batcher.RunOne()) continue;
  EXPECT_EQ(sizes_, (std::vector<std::size_t>{1, 1, 2}));
}

TEST_F(BatcherTest, OneRequestsFaultIsItsOwn) {
  Batcher batcher = Make();
  const auto a = Work({"a"}), bad = Work({"b", "bad"}), c = Work({"cc"});
  for (const auto& work : {a, bad, c}) Submit(batcher, work);
  while (batcher.RunOne()) continue;
  EXPECT_TRUE(a->status.ok());
  EXPECT_EQ(c->vectors, (std::vector<float>{2}));
  EXPECT_EQ(bad->status.message(), "texts[1] is bad");
  EXPECT_EQ(done_[bad.get()], 1);
}

TEST_F(BatcherTest, AFaultEndsTheRestOfItsRequest) {
  Batcher batcher = Make(1);
  const auto bad = Work({"bad", "a", "b"});
  Submit(batcher, bad);
  EXPECT_TRUE(batcher.RunOne());
  EXPECT_FALSE(batcher.RunOne());
  EXPECT_EQ(done_[bad.get()], 1);
  EXPECT_EQ(batcher.stats().texts, 0u);
}

TEST_F(BatcherTest, CancelledWorkEndsAtOnce) {
  Batcher batcher = Make(1);
  const auto a = Work({"a", "b"}), waiting = Work({"c"});
  Submit(batcher, a);
  Submit(batcher, waiting);
  batcher.Cancel(waiting);
  EXPECT_EQ(waiting->status.code(), Code::kOverloaded);
  EXPECT_EQ(done_[waiting.get()], 1);
  batcher.RunOne();
  batcher.Cancel(a);
  EXPECT_EQ(done_[a.get()], 1);
  EXPECT_FALSE(batcher.RunOne());
  batcher.Cancel(a);
  EXPECT_EQ(done_[a.get()], 1);
  EXPECT_EQ(batcher.stats().texts, 0u);
}

TEST_F(BatcherTest, ThreadsShareTheBytesOfARequest) {
  if (base::UsableProcessors() < 2) GTEST_SKIP() << "the executor has one thread";
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::size_t> sizes;
  std::size_t together = 2;  // Batches that wait for each other.
  auto executor = std::make_unique<runtime::Executor>();
  Batcher batcher(
      [&](const ServedModel&, std::span<const std::string_view> texts, const VectorOptions&, std::span<float>,
          std::span<Report>, std::chrono::nanoseconds&) {
        std::unique_lock lock(mutex);
        sizes.push_back(texts.size());
        changed.notify_all();
        EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return sizes.size() >= together; }));
        return Status();
      },
      *executor, {.threads = 2});
  auto embed = [&](std::vector<std::string> texts) {
    const auto work = Work(std::move(texts));
    bool done = false;
    work->done = [&] {
      std::lock_guard lock(mutex);
      done = true;
      changed.notify_all();
    };
    Submit(batcher, work);
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(40), [&] { return done; }));
    return std::exchange(sizes, {});
  };
  EXPECT_EQ(embed({std::string(500, 'a'), std::string(200, 'b'), std::string(200, 'c')}),
            (std::vector<std::size_t>{1, 1, 1}));
  together = 1;
  EXPECT_EQ(embed({"a", "b", "c", "d"}), std::vector<std::size_t>{4});
  executor.reset();  // Before the batcher, whose runners it has.
}

TEST_F(BatcherTest, ThreadsTakeWhatComes) {
  constexpr int kRequests = 200;
  std::atomic<int> done = 0;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::shared_ptr<EmbedWork>> works;
  {
    runtime::Executor executor;
    Batcher batcher(
        [](const ServedModel&, std::span<const std::string_view> texts, const VectorOptions&, std::span<float> vectors,
           std::span<Report>, std::chrono::nanoseconds&) {
          for (std::size_t i = 0; i < texts.size(); ++i) vectors[i] = static_cast<float>(texts[i].size());
          return Status();
        },
        executor, {.texts = 7, .threads = 2});
    for (int i = 0; i < kRequests; ++i) {
      works.push_back(Work(std::vector<std::string>(static_cast<std::size_t>(i % 20 + 1), std::string(i, 'x'))));
      works.back()->done = [&] {
        std::lock_guard lock(mutex);
        ++done;
        changed.notify_one();
      };
      Submit(batcher, works.back());
    }
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return done == kRequests; }));
  }
  for (int i = 0; i < kRequests; ++i) {
    EXPECT_EQ(works[i]->vectors, std::vector<float>(i % 20 + 1, static_cast<float>(i)));
  }
}

}  // namespace
}  // namespace thimble::server
