// Allocation, mapping and thread creation fail, each in turn, and every public function answers with a Status; and what
// allocates nothing.

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <functional>
#include <iterator>
#include <limits>
#include <new>
#include <string>
#include <vector>

#include "base/guard.h"
#include "json/parse.h"
#include "tests/support/test_model.h"
#include "thimble/convert.h"
#include "thimble/pool.h"

namespace {

// Those with these numbers fail.
std::atomic<long> fail_begin = 0, fail_end = 0;
std::atomic<long> next_number = 0;
std::atomic<long> allocations = 0;

// Threads that the system still grants; negative for any number.
std::atomic<int> threads_left = -1;

bool FailsNow() {
  const long number = next_number++;
  return number >= fail_begin && number < fail_end;
}

bool ThreadFailsNow() {
  if (threads_left > 0) {
    --threads_left;
    return false;
  }
  return threads_left == 0 || FailsNow();
}

}  // namespace

// Not inlined, because the compiler would then see malloc on one side and delete on the other.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  void* memory = FailsNow() ? nullptr : std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return FailsNow() ? nullptr : std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

// The linker sends calls here (see cmake/tests.cmake).
extern "C" {
void* __real_mmap(void* address, std::size_t size, int protection, int flags, int file, off_t offset);
void* __wrap_mmap(void* address, std::size_t size, int protection, int flags, int file, off_t offset) {
  if (FailsNow()) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return __real_mmap(address, size, protection, flags, file, offset);
}
int __real_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*),
                          void* argument);
int __wrap_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*),
                          void* argument) {
  return ThreadFailsNow() ? EAGAIN : __real_pthread_create(thread, attributes, function, argument);
}
}

namespace thimble {
namespace {

class Allocation : public testing::Test {
 protected:
  void TearDown() override { threads_left = -1; }
  void SetUp() override {
    const std::string source = folder_.File("source");
    std::filesystem::create_directory(source);
    ASSERT_TRUE(test::WriteTestModel(source).ok());
    ConvertOptions options;
    options.known_as = "e5-small-v2";  // For a prompt.
    path_ = folder_.File("test-q8.safetensors");
    ASSERT_TRUE(ConvertModel(source, path_, options).ok());
  }

  enum class Fails { kOnce, kFromThenOn };

  // Runs `work` again and again while its first, second ... allocation fails, alone or with all that follow, until it
  // needs no more. It must then have been refused at least `least` times; where it can do without what failed, it may
  // succeed. Behind the first `each` only one of a growing number fails.
  void FailEach(const std::function<Status()>& work, int least, Fails fails = Fails::kOnce, long each = 100000) {
    int refused = 0;
    for (long failing = 0;; failing += 1 + failing / each) {
      next_number = 0;
      fail_begin = failing;
      fail_end = fails == Fails::kOnce ? failing + 1 : std::numeric_limits<long>::max();
      Status status = work();
      fail_end = 0;
      if (next_number <= failing) {
        EXPECT_TRUE(status.ok()) << status.message();
        EXPECT_GE(refused, least) << "the failures did not reach the code";
        RecordProperty("refused", refused);
        return;
      }
      if (status.ok()) continue;
      ++refused;
      ASSERT_EQ(status.code(), Code::kOutOfMemory) << "failure " << failing << ": " << status.message();
      ASSERT_FALSE(status.message().empty());
    }
  }

  test::TemporaryFolder folder_;
  std::string path_;
};

TEST_F(Allocation, FailureOnReadingJsonIsAStatus) {
  const std::string text = R"({"b":["a string that needs memory of its own",{"c":1,"a":2}],"a":[1,2,3,4,5],"c":{}})";
  for (const Fails fails : {Fails::kOnce, Fails::kFromThenOn}) {
    FailEach([&] { return base::Guarded([&] { return json::Parse(text, "text").status(); }); }, 10, fails);
  }
}

TEST_F(Allocation, FailureOnConvertingIsAStatusAndLeavesNothing) {
  const std::string source = folder_.File("source"), made = folder_.File("made.safetensors");
  const ConvertOptions options;
  const auto work = [&] {
    const Status status = base::Guarded([&] { return ConvertModel(source, made, options); });
    const long end = fail_end.exchange(0), number = next_number;
    const auto left = std::distance(std::filesystem::directory_iterator(folder_.path()), {});
    EXPECT_EQ(left, status.ok() ? 3 : 2) << status.message();
    std::filesystem::remove(made);
    fail_end = end;
    next_number = number;
    return status;
  };
  for (const Fails fails : {Fails::kOnce, Fails::kFromThenOn}) FailEach(work, 200, fails, 60);
}

TEST_F(Allocation, FailureOnOpeningAModelIsAStatus) {
  for (const Fails fails : {Fails::kOnce, Fails::kFromThenOn}) {
    FailEach([&] { return Model::Open(path_).status(); }, 50, fails);
  }
}

TEST_F(Allocation, FailureOnCreatingAnEmbedderIsAStatus) {
  auto model = Model::Open(path_);
  ASSERT_TRUE(model.ok());
  FailEach(
      [&] {
        EmbedderOptions options;
        options.threads = 3;
        return Embedder::Create(*model, options).status();
      },
      8);
}

TEST_F(Allocation, FailureOnTokenizingIsAStatus) {
  auto model = Model::Open(path_);
  ASSERT_TRUE(model.ok());
  FailEach([&] { return (*model)->Tokenize("hello world").status(); }, 1);
}

TEST_F(Allocation, FailureInAPoolIsAStatus) {
  PoolOptions options;
  options.folder = folder_.path();
  options.embedder.threads = 2;
  FailEach([&] { return ModelPool::Create(options).status(); }, 2);
  FailEach(
      [&]() -> Status {
        auto pool = ModelPool::Create(options);
        if (!pool.ok()) return pool.status();
        auto lease = pool->Acquire(path_);
        if (!lease.ok()) return lease.status();
        float vector[64];
        auto report = lease->Embed("hello", vector);
        if (!report.ok()) return report.status();
        return pool->Stats().status();
      },
      60);
}

// A pool that failed to load or to add an embedder goes on as if it had not tried.
TEST_F(Allocation, AFailureLeavesThePoolInOrder) {
  PoolOptions options;
  options.unload_after = std::chrono::milliseconds(0);
  options.max_wait = std::chrono::milliseconds(0);
  options.max_models = 1;
  auto pool = ModelPool::Create(options);
  ASSERT_TRUE(pool.ok());
  float vector[64];
  FailEach(
      [&]() -> Status {
        auto lease = pool->Acquire(path_);
        if (!lease.ok()) return lease.status();
        return lease->Embed("hello", vector).status();
      },
      50);
  auto stats = pool->Stats();
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->used_memory, 0u);
  EXPECT_TRUE(stats->models.empty());
  EXPECT_EQ(stats->loads, stats->unloads);
}

TEST_F(Allocation, AnEmbedderWorksWithTheThreadsThatAreGranted) {
  auto model = Model::Open(path_);
  ASSERT_TRUE(model.ok());
  const std::vector<std::string_view> texts(30, "the memory of a small vector is good");
  std::vector<float> expected(texts.size() * 64), found(texts.size() * 64);
  ASSERT_TRUE(Embedder::Create(*model)->EmbedBatch(texts, expected).ok());
  for (std::size_t granted : {0, 1, 2}) {
    threads_left = static_cast<int>(granted);
    auto embedder = Embedder::Create(*model, {.threads = 4});
    ASSERT_TRUE(embedder.ok()) << embedder.status().message();
    auto plan = Embedder::MakePlan(**model, {.threads = granted + 1});
    ASSERT_TRUE(plan.ok());
    EXPECT_EQ(embedder->plan().threads, granted + 1);
    EXPECT_EQ(embedder->plan().peak_bytes, plan->peak_bytes);
    ASSERT_TRUE(embedder->EmbedBatch(texts, found).ok());
    EXPECT_EQ(found, expected);
    ASSERT_TRUE(embedder->EmbedBatch(std::span(texts).first(1), std::span(found).first(64)).ok());
    EXPECT_EQ(found, expected);
  }
}

// The pool's own thread is refused, and then threads of embedders.
TEST_F(Allocation, APoolWorksWithTheThreadsThatAreGranted) {
  threads_left = 0;
  PoolOptions options;
  options.release_after = options.max_wait = std::chrono::milliseconds(0);
  options.unload_after = std::chrono::milliseconds(20);
  options.embedder.threads = 3;
  auto pool = ModelPool::Create(options);
  ASSERT_TRUE(pool.ok()) << pool.status().message();
  float vector[64];
  for (std::size_t granted : {0, 2}) {  // Of two, the pool has one.
    threads_left = static_cast<int>(granted);
    {
      auto lease = pool->Acquire(path_);
      ASSERT_TRUE(lease.ok());
      ASSERT_TRUE(lease->Embed("hello", vector).ok());
      threads_left = 0;
      auto plan = Embedder::MakePlan(lease->model(), {.threads = granted == 0 ? 1u : 3u});
      auto stats = pool->Stats();
      ASSERT_TRUE(plan.ok() && stats.ok());
      EXPECT_EQ(stats->used_memory + plan->scratch_bytes * plan->threads, plan->peak_bytes);
      EXPECT_EQ(stats->models[0].private_bytes, stats->used_memory);
    }
    const timespec pause = {.tv_sec = 0, .tv_nsec = 30'000'000};
    nanosleep(&pause, nullptr);
    auto stats = pool->Stats();
    ASSERT_TRUE(stats.ok());
    EXPECT_EQ(stats->used_memory, 0u);
    EXPECT_TRUE(stats->models.empty());
  }
}

TEST_F(Allocation, EmbeddingAllocatesNothing) {
  auto pool = ModelPool::Create();
  ASSERT_TRUE(pool.ok());
  auto lease = pool->Acquire(path_);
  auto model = Model::Open(path_);
  ASSERT_TRUE(lease.ok() && model.ok());
  EmbedderOptions options;
  options.threads = 2;
  auto embedder = Embedder::Create(*model, options);
  ASSERT_TRUE(embedder.ok());
  const std::vector<std::string_view> texts(50, "the memory of a small vector is good, and this one is longer");
  std::vector<float> vectors(texts.size() * 64);
  std::vector<float> rows(lease->max_tokens() * 64);
  std::vector<Report> reports(texts.size());
  const std::vector<std::int32_t> ids = {1, 2, 3};
  ASSERT_TRUE(lease->EmbedBatch(texts, vectors, reports).ok());
  const long before = allocations;
  ASSERT_TRUE(embedder->EmbedBatch(texts, vectors, reports).ok());
  ASSERT_TRUE(embedder->Embed(texts[0], std::span<float>(vectors).first(64)).ok());
  ASSERT_TRUE(lease->EmbedBatch(texts, vectors, reports).ok());
  ASSERT_TRUE(lease->Embed(texts[0], std::span<float>(vectors).first(64)).ok());
  ASSERT_TRUE(lease->EmbedTokens(texts[0], rows).ok());
  ASSERT_TRUE(lease->EmbedIds(ids, std::span<float>(rows).first(ids.size() * 64)).ok());
  EXPECT_EQ(allocations - before, 0);

  std::string long_text;
  for (int i = 0; i < 1000; ++i) long_text += "the memory of a small vector ";
  const VectorOptions chunk = {.prompt_name = "query", .long_texts = LongTexts::kChunk};
  const long before_chunks = allocations;
  ASSERT_TRUE(embedder->Embed(long_text, std::span<float>(vectors).first(64), chunk).ok());
  ASSERT_TRUE(embedder->EmbedBatch(texts, vectors, reports, chunk).ok());
  EXPECT_EQ(allocations - before_chunks, 0);
}

}  // namespace
}  // namespace thimble
