// Pools: one load, leases, budget, order of leaving, and times, with a clock that the test sets.

#include "thimble/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "runtime/plan.h"
#include "runtime/pool_state.h"
#include "tests/support/fake_clock.h"
#include "tests/support/test_model.h"
#include "thimble/cache.h"

namespace thimble::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeClock;
using test::TemporaryFolder;

// A folder with the models a, b and c, as q8.
class Pool : public testing::Test {
 protected:
  void SetUp() override {
    test::TestModelOptions model;
    model.layers = 1;
    auto path = test::ConvertTestModel(folder_.path(), format::Dtype::kQ8, model);
    ASSERT_TRUE(path.ok()) << path.status().message();
    for (const char* name : {"a", "b", "c"}) {
      std::filesystem::copy_file(*path, folder_.File(std::string(name) + "-q8.safetensors"));
    }
    auto opened = Model::Open(*path);
    ASSERT_TRUE(opened.ok());
    model_ = *opened;
    options_.folder = folder_.path();
    options_.max_wait = milliseconds(0);
    environment_.clock = clock_;
    environment_.pressure_file = folder_.File("pressure");
    environment_.processors = 4;
  }

  ModelPool Make() {
    auto state = PoolState::Create(options_, environment_);
    EXPECT_TRUE(state.ok()) << state.status().message();
    clock_->AwaitWaits(1);
    return ModelPool(*state);
  }
  static void Embed(Lease& lease) {
    std::vector<float> vector(lease.model().dimensions());
    auto report = lease.Embed("hello", vector);
    ASSERT_TRUE(report.ok()) << report.status().message();
  }
  static PoolStats Stats(const ModelPool& pool) {
    auto stats = pool.Stats();
    EXPECT_TRUE(stats.ok());
    return *stats;
  }
  std::vector<std::string> Loaded(const ModelPool& pool) {
    std::vector<std::string> names;
    for (const ModelStats& model : Stats(pool).models) names.push_back(model.name);
    return names;
  }
  // The bytes of one model with one embedder.
  std::size_t WholeModel() { return Embedder::MakePlan(*model_)->peak_bytes; }

  TemporaryFolder folder_;
  std::shared_ptr<const Model> model_;
  std::shared_ptr<FakeClock> clock_ = std::make_shared<FakeClock>();
  PoolOptions options_;
  PoolEnvironment environment_;
};

using Names = std::vector<std::string>;

TEST_F(Pool, LoadsOnDemandAndKeepsOneCopy) {
  ModelPool pool = Make();
  EXPECT_EQ(Stats(pool).loads, 0u);
  auto first = pool.Acquire("a"), second = pool.Acquire("a");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(&first->model(), &second->model());
  Embed(*first);
  Embed(*second);
  PoolStats stats = Stats(pool);
  EXPECT_EQ(stats.loads, 1u);
  ASSERT_EQ(stats.models.size(), 1u);
  EXPECT_EQ(stats.models[0].leases, 2u);
  EXPECT_EQ(stats.models[0].mapped_bytes, model_->info().file_bytes);
  // One embedder was enough for two calls one after the other.
  EXPECT_EQ(stats.used_memory, WholeModel());
  EXPECT_EQ(stats.models[0].private_bytes, WholeModel());
}

TEST_F(Pool, GivesTheVectorsOfAnEmbedder) {
  ModelPool pool = Make();
  auto lease = pool.Acquire("a");
  auto embedder = Embedder::Create(model_);
  ASSERT_TRUE(lease.ok() && embedder.ok());
  std::vector<float> expected(model_->dimensions()), found(model_->dimensions());
  ASSERT_TRUE(embedder->Embed("the same text", expected).ok());
  ASSERT_TRUE(lease->Embed("the same text", found).ok());
  EXPECT_EQ(found, expected);
  EXPECT_EQ(lease->Embed("x", std::span<float>(found).first(1)).status().code(), Code::kInvalidArgument);
}

TEST_F(Pool, GivesTheVectorsOfTokens) {
  ModelPool pool = Make();
  auto lease = pool.Acquire("a");
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->max_tokens(), model_->info().max_tokens);
  std::vector<float> rows(lease->max_tokens() * model_->dimensions()), vector(model_->dimensions());
  auto report = lease->EmbedTokens("hello", rows);
  ASSERT_TRUE(report.ok()) << report.status().message();
  ASSERT_TRUE(lease->Embed("hello", vector, {.pooling = Pooling::kCls, .normalize = false}).ok());
  rows.resize(vector.size());
  EXPECT_EQ(rows, vector);
}

TEST_F(Pool, PlansWithoutLoading) {
  ModelPool pool = Make();
  auto plan = pool.MakePlan("a");
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->peak_bytes, WholeModel());
  EXPECT_EQ(Loaded(pool), Names{});
  EXPECT_EQ(pool.MakePlan("absent").status().code(), Code::kNotFound);
}

TEST_F(Pool, TakesANameWithItsOrganisationAndKeepsOneCopy) {
  std::filesystem::create_directory(folder_.File("acme"));
  std::filesystem::copy_file(folder_.File("a-q8.safetensors"), folder_.File("acme/d-q8.safetensors"));
  ModelPool pool = Make();
  auto first = pool.Acquire("d"), second = pool.Acquire("Acme/d"), third = pool.Acquire("a");
  ASSERT_TRUE(first.ok() && second.ok() && third.ok());
  EXPECT_EQ(&first->model(), &second->model());
  EXPECT_NE(&first->model(), &third->model());
  EXPECT_EQ(pool.Acquire("other/d").status().code(), Code::kNotFound);
  EXPECT_EQ(pool.Acquire("other/a").status().code(), Code::kNotFound);
  for (std::string_view name : {"", "x/y/a", "a b", "a\\b", "a\n", "a@", "a/"}) {
    Status status = pool.Acquire(name).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << name;
  }
  EXPECT_EQ(pool.Acquire("a", "../q8").status().code(), Code::kInvalidArgument);
  Status absent = pool.Acquire("org/absent", "q4").status();
  EXPECT_EQ(absent.code(), Code::kNotFound);
  EXPECT_NE(absent.message().find("/org/absent-q4.safetensors: "), std::string::npos) << absent.message();
  EXPECT_TRUE(absent.message().ends_with(" thimble pull org/absent --dtype q4")) << absent.message();
}

TEST_F(Pool, UnloadsByAnyNameOfAModel) {
  std::filesystem::create_directory(folder_.File("acme"));
  std::filesystem::rename(folder_.File("a-q8.safetensors"), folder_.File("acme/a-q8.safetensors"));
  ModelPool pool = Make();
  ASSERT_TRUE(pool.Pin("a").ok());
  pool.Unpin("acme/a");
  EXPECT_FALSE(Stats(pool).models[0].pinned);
  pool.Unload("ACME/A");
  EXPECT_EQ(Loaded(pool), Names{});
}

TEST_F(Pool, TakesAFolderWithAModelInItAndNamesTheCommandForASource) {
  ModelPool pool = Make();
  TemporaryFolder models;
  std::filesystem::copy_file(folder_.File("a-q8.safetensors"), models.File("x-q8.safetensors"));
  EXPECT_TRUE(pool.Acquire(models.path()).ok());
  ASSERT_TRUE(test::WriteTestModel(models.path()).ok());
  const Status status = pool.Acquire(models.path()).status();
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_TRUE(status.message().ends_with("thimble pull " + models.path() + " --dtype q8")) << status.message();
}

TEST_F(Pool, TakesTheDtypeOfAFileAndRefusesAnother) {
  ModelPool pool = Make();
  const std::string file = folder_.File("a-q8.safetensors");
  for (int round = 0; round < 2; ++round) {  // Loaded by the first.
    const Status status = pool.Acquire(file, "q4").status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_NE(status.message().find("dtype: expected q8"), std::string::npos) << status.message();
    EXPECT_TRUE(pool.Acquire(file, "q8").ok());
  }
  EXPECT_TRUE(pool.Acquire(file).ok());
  EXPECT_EQ(Stats(pool).loads, 1u);
  EXPECT_EQ(pool.MakePlan(file, "q4").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(OpenModel(file, "q4").status().code(), Code::kInvalidArgument);
  EXPECT_TRUE(OpenModel(file, "q8").ok());
  EXPECT_TRUE(pool.Acquire("mock", "q4").ok());
  EXPECT_EQ(pool.Acquire("mock", "q5").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(OpenModel("mock", "q5").status().code(), Code::kInvalidArgument);
}

TEST_F(Pool, TheDtypeOfOneCallIsNoErrorOfThoseThatWaitForTheSameFile) {
  options_.max_models = 1;
  options_.max_wait = seconds(5);
  ModelPool pool = Make();
  auto lease = pool.Acquire("a");
  ASSERT_TRUE(lease.ok());
  const std::string file = folder_.File("b-q8.safetensors");
  Status wrong, right;
  std::thread first([&] { wrong = pool.Acquire(file, "q4").status(); });
  clock_->AwaitWaits(2);  // The pool's thread, and the one that has begun to load the file.
  std::thread second([&] { right = pool.Acquire(file, "q8").status(); });
  std::this_thread::sleep_for(milliseconds(20));
  {
    Lease returned = *std::move(lease);
  }
  first.join();
  second.join();
  EXPECT_EQ(wrong.code(), Code::kInvalidArgument);
  EXPECT_TRUE(right.ok()) << right.message();
}

// The pool in circulation sets a timer at each use and unloads where more time than the limit has gone by: exactly at
// the limit its last timer finds "not yet", and no other comes.
TEST_F(Pool, UnloadsExactlyWhenTheTimeHasCome) {
  options_.unload_after = seconds(30);
  ModelPool pool = Make();
  {
    ASSERT_TRUE(pool.Acquire("a").ok());
  }
  clock_->Advance(seconds(10));
  {
    ASSERT_TRUE(pool.Acquire("a").ok());
  }  // The last use.
  clock_->Advance(seconds(20));  // When a timer of the first use would run.
  EXPECT_EQ(Loaded(pool), Names{"a"});
  clock_->Advance(milliseconds(9999));
  EXPECT_EQ(Loaded(pool), Names{"a"});
  EXPECT_EQ(Stats(pool).models[0].idle, milliseconds(29999));
  clock_->Advance(milliseconds(1));
  EXPECT_EQ(Loaded(pool), Names{});
  EXPECT_EQ(Stats(pool).unloads, 1u);
  EXPECT_EQ(Stats(pool).used_memory, 0u);
  clock_->Advance(seconds(100));
  EXPECT_EQ(Stats(pool).unloads, 1u);
}

TEST_F(Pool, NeverUnloadsWhileALeaseIsOut) {
  ModelPool pool = Make();
  auto lease = pool.Acquire("a");
  ASSERT_TRUE(lease.ok());
  clock_->Advance(seconds(1000));
  EXPECT_EQ(Loaded(pool), Names{"a"});
  Embed(*lease);
  {
    Lease returned = *std::move(lease);
  }
  clock_->Advance(seconds(30));
  EXPECT_EQ(Loaded(pool), Names{});
}

TEST_F(Pool, UnloadsAtOnceOrNever) {
  options_.unload_after = seconds(0);
  {
    ModelPool pool = Make();
    {
      ASSERT_TRUE(pool.Acquire("a").ok());
    }
    EXPECT_EQ(Loaded(pool), Names{});
  }
  options_.unload_after.reset();
  ModelPool pool = Make();
  {
    ASSERT_TRUE(pool.Acquire("a").ok());
  }
  clock_->Advance(std::chrono::hours(1000));
  EXPECT_EQ(Loaded(pool), Names{"a"});
}

TEST_F(Pool, ReleasesScratchBeforeTheModel) {
  ModelPool pool = Make();
  auto lease = pool.Acquire("a");
  ASSERT_TRUE(lease.ok());
  Embed(*lease);
  const std::size_t before = Stats(pool).used_memory;
  clock_->Advance(milliseconds(999));
  EXPECT_EQ(Stats(pool).used_memory, before);
  clock_->Advance(milliseconds(1));
  EXPECT_EQ(Stats(pool).used_memory, before - Embedder::MakePlan(*model_)->scratch_bytes);
  Embed(*lease);
  EXPECT_EQ(Stats(pool).used_memory, before);
}

TEST_F(Pool, PinnedModelsStay) {
  options_.max_models = 2;
  ModelPool pool = Make();
  ASSERT_TRUE(pool.Pin("a").ok());
  ASSERT_TRUE(pool.Preload("b").ok());
  clock_->Advance(seconds(1));
  ASSERT_TRUE(pool.Preload("c").ok());
  EXPECT_EQ(Loaded(pool), (Names{"a", "c"}));
  clock_->Advance(seconds(100));
  EXPECT_EQ(Loaded(pool), Names{"a"});
  pool.Unpin("a");
  clock_->Advance(seconds(30));
  EXPECT_EQ(Loaded(pool), Names{});
}

TEST_F(Pool, TheLeastRecentlyUsedLeavesFirst) {
  options_.max_models = 2;
  options_.unload_after.reset();
  ModelPool pool = Make();
  ASSERT_TRUE(pool.Preload("a").ok());
  clock_->Advance(seconds(1));
  ASSERT_TRUE(pool.Preload("b").ok());
  clock_->Advance(seconds(1));
  ASSERT_TRUE(pool.Preload("a").ok());
  ASSERT_TRUE(pool.Preload("c").ok());
  EXPECT_EQ(Loaded(pool), (Names{"a", "c"}));
  auto a = pool.Acquire("a"), c = pool.Acquire("c");
  auto b = pool.Acquire("b");
  EXPECT_EQ(b.status().code(), Code::kOverloaded) << b.status().message();
  EXPECT_EQ(Stats(pool).refusals, 1u);
}

TEST_F(Pool, TheBudgetMakesIdleModelsLeave) {
  // The smallest tile of one model, so that nothing of another has room beside it.
  const std::size_t longest = model_->info().max_tokens;
  options_.max_memory = model_->engine().FixedBytes() + EmbedderFixedBytes(1) +
                        model_->engine().ScratchBytes({.max_tokens = longest, .tile_tokens = longest});
  options_.unload_after.reset();
  ModelPool pool = Make();
  for (const char* name : {"a", "b", "c"}) {
    auto lease = pool.Acquire(name);
    ASSERT_TRUE(lease.ok()) << lease.status().message();
    Embed(*lease);
    EXPECT_EQ(Loaded(pool), Names{name});
    EXPECT_EQ(Stats(pool).used_memory, options_.max_memory);
    clock_->Advance(milliseconds(1));
  }
  EXPECT_EQ(Stats(pool).peak_memory, options_.max_memory);
}

TEST_F(Pool, ABudgetTooSmallIsRefusedWithNeededAndAllowed) {
  options_.max_memory = 1000;
  ModelPool pool = Make();
  auto lease = pool.Acquire("a");
  ASSERT_EQ(lease.status().code(), Code::kOutOfMemory);
  EXPECT_NE(lease.status().message().find("needs"), std::string::npos) << lease.status().message();
  EXPECT_NE(lease.status().message().find("only 1000 are allowed"), std::string::npos) << lease.status().message();
  EXPECT_EQ(Loaded(pool), Names{});
  EXPECT_EQ(Stats(pool).used_memory, 0u);
}

TEST_F(Pool, ALimitOfACallTooSmallIsRefusedByItsName) {
  options_.embedder.max_memory = 1000;
  ModelPool pool = Make();
  EXPECT_NE(pool.Acquire("a").status().message().find("only 1000 are allowed; raise `embedder.max_memory`"),
            std::string::npos);
}

TEST_F(Pool, ReservationsDrawOnTheSameAccount) {
  options_.max_memory = 2 * WholeModel();
  ModelPool pool = Make();
  auto lease = pool.Acquire("a");
  ASSERT_TRUE(lease.ok());
  Embed(*lease);
  EXPECT_EQ(pool.Reserve(options_.max_memory + 1).status().code(), Code::kOutOfMemory);
  {
    auto reservation = pool.Reserve(WholeModel());
    ASSERT_TRUE(reservation.ok());
    EXPECT_EQ(Stats(pool).used_memory, options_.max_memory);
    // The idle scratch makes room for some of it, but not for all.
    EXPECT_EQ(pool.Reserve(WholeModel()).status().code(), Code::kOverloaded);
    std::vector<float> vector(lease->model().dimensions());
    EXPECT_TRUE(lease->Embed("x", vector).ok());
  }
  EXPECT_TRUE(pool.Reserve(WholeModel()).ok());
}

TEST_F(Pool, WaitsForMemoryUntilMaxWait) {
  options_.max_memory = WholeModel();
  options_.max_wait = seconds(5);
  ModelPool pool = Make();
  auto reservation = pool.Reserve(WholeModel());
  ASSERT_TRUE(reservation.ok());
  std::atomic<bool> done = false;
  Status status;
  std::thread waiter([&] {
    status = pool.Preload("a");
    done = true;
  });
  clock_->AwaitWaits(2);  // The pool's thread, and the waiter.
  EXPECT_FALSE(done);
  clock_->Advance(milliseconds(4999));
  EXPECT_FALSE(done);
  {
    Reservation given_back = *std::move(reservation);
  }
  waiter.join();
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_F(Pool, PressureReleasesWhatIsIdle) {
  options_.release_after = seconds(1000);
  options_.unload_after.reset();
  ASSERT_TRUE(test::WriteFile(environment_.pressure_file, "some avg10=0.50 avg60=0.00 avg300=0.00 total=1\n").ok());
  ModelPool pool = Make();
  auto lease = pool.Acquire("a");
  ASSERT_TRUE(lease.ok());
  Embed(*lease);
  ASSERT_TRUE(pool.Preload("b").ok());
  ASSERT_TRUE(pool.Pin("c").ok());
  clock_->Advance(seconds(1));
  EXPECT_EQ(Loaded(pool), (Names{"a", "b", "c"}));
  ASSERT_TRUE(test::WriteFile(environment_.pressure_file, "some avg10=12.00 avg60=0.00 avg300=0.00 total=1\n").ok());
  clock_->Advance(seconds(1));
  EXPECT_EQ(Loaded(pool), (Names{"a", "c"}));
  EXPECT_EQ(Stats(pool).models[0].private_bytes, WholeModel() - Embedder::MakePlan(*model_)->scratch_bytes);
  Embed(*lease);
}

TEST_F(Pool, UnloadReturnsWhenTheLeasesAreBackAndTheModelIsGone) {
  ModelPool pool = Make();
  pool.Unload("a");
  auto lease = pool.Acquire("a");
  ASSERT_TRUE(lease.ok());
  std::atomic<bool> done = false;
  std::thread waiter([&] {
    pool.Unload("a");
    done = true;
  });
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_FALSE(done);
  EXPECT_EQ(Loaded(pool), Names{"a"});
  {
    Lease returned = *std::move(lease);
  }
  waiter.join();
  EXPECT_EQ(Loaded(pool), Names{});
  EXPECT_EQ(Stats(pool).used_memory, 0u);
}

TEST_F(Pool, FailuresAreNotKept) {
  ModelPool pool = Make();
  auto lease = pool.Acquire("absent");
  EXPECT_EQ(lease.status().code(), Code::kNotFound);
  EXPECT_NE(lease.status().message().find("absent-q8.safetensors"), std::string::npos) << lease.status().message();
  EXPECT_EQ(pool.Acquire("").status().code(), Code::kInvalidArgument);
  std::filesystem::copy_file(folder_.File("a-q8.safetensors"), folder_.File("absent-q8.safetensors"));
  EXPECT_TRUE(pool.Acquire("absent").ok());
  EXPECT_TRUE(pool.Acquire(folder_.File("b-q8.safetensors"), "").ok());
}

TEST_F(Pool, LeasesAndReservationsOutliveThePool) {
  std::optional<Lease> lease;
  std::optional<Reservation> reservation;
  {
    ModelPool pool = Make();
    lease = *pool.Acquire("a");
    reservation = *pool.Reserve(10);
  }
  Embed(*lease);
  lease.reset();
  reservation.reset();
}

TEST_F(Pool, HasTheMocks) {
  ModelPool pool = Make();
  for (const char* name : {"mock", "mock-hashed"}) {
    auto lease = pool.Acquire(name);
    ASSERT_TRUE(lease.ok()) << lease.status().message();
    EXPECT_EQ(lease->model().dimensions(), 384u);
    Embed(*lease);
  }
}

TEST_F(Pool, RefusesOptionsOutOfRange) {
  PoolOptions options;
  options.max_wait = milliseconds(-1);
  EXPECT_EQ(ModelPool::Create(options).status().code(), Code::kInvalidArgument);
  options = {};
  options.embedder.threads = 0;
  EXPECT_EQ(ModelPool::Create(options).status().code(), Code::kInvalidArgument);
}

// Run under TSan by make test.
TEST_F(Pool, ThreadsOpenUseAndUnloadAtTheSameTime) {
  environment_.clock = std::make_shared<SteadyClock>();
  options_.max_wait = seconds(60);
  options_.unload_after = milliseconds(1);
  options_.release_after = milliseconds(0);
  options_.max_models = 2;
  options_.max_memory = 2 * WholeModel() + 1000;
  auto state = PoolState::Create(options_, environment_);
  ASSERT_TRUE(state.ok());
  auto pool = std::make_optional<ModelPool>(*state);
  constexpr int kThreads = 200;
  std::vector<float> expected(model_->dimensions());
  ASSERT_TRUE(Embedder::Create(model_)->Embed("hello", expected).ok());
  std::atomic<int> right = 0, failed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const std::string name(1, static_cast<char>('a' + i % 3));
      for (int round = 0; round < 3; ++round) {
        auto lease = pool->Acquire(name);
        std::vector<float> vector(expected.size());
        if (lease.ok() && lease->Embed("hello", vector).ok() && vector == expected) {
          ++right;
        } else {
          ++failed;
        }
        if (i % 50 == 0) static_cast<void>(pool->Stats());
        if (i % 20 == 0) {
          {
            auto returned = std::move(lease);
          }
          pool->Unload(name);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 3 * kThreads);
  EXPECT_EQ(failed, 0);
  PoolStats stats = Stats(*pool);
  // A model that is being unloaded is in neither.
  for (int i = 0; i < 5000 && stats.loads != stats.unloads + stats.models.size(); ++i) {
    std::this_thread::sleep_for(milliseconds(1));
    stats = Stats(*pool);
  }
  EXPECT_LE(stats.peak_memory, options_.max_memory);
  EXPECT_GE(stats.loads, 3u);
  EXPECT_EQ(stats.loads, stats.unloads + stats.models.size());
  pool.reset();
}

}  // namespace
}  // namespace thimble::runtime
