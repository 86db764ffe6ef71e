// Calls, chains, the cache and retries, without a network.

#include "thimble/backend.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <thread>

#include "backends/chain.h"
#include "backends/client.h"
#include "backends/vector_cache.h"
#include "runtime/engines.h"
#include "store/name.h"
#include "tests/support/child.h"

namespace thimble::backends {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<Embedding> EmbedAll(Backend& backend, std::vector<std::string_view> texts, const BackendCall& call = {}) {
  std::vector<Embedding> embeddings;
  const Status status = backend.Embed(texts, call, embeddings);
  EXPECT_TRUE(status.ok()) << status.message();
  return embeddings;
}

TEST(Backend, EveryEngineIsOpenedByItsName) {
  const std::string unknown = Backend::Open("cloud").status().message();
  setenv("THIMBLE_BACKEND", "cloud", 1);
  const std::string unknown_model = Model::Open("mock").status().message();
  for (const runtime::EngineEntry& engine : runtime::kEngines) {
    const std::string name(engine.name);
    SCOPED_TRACE(name);
    EXPECT_NE(unknown.find(name + ", "), std::string::npos) << unknown;
    EXPECT_NE(unknown_model.find(name), std::string::npos) << unknown_model;
    EXPECT_EQ(runtime::FindEngine(name), &engine);
    EXPECT_EQ(store::IsMockName(name), !engine.opens_files);
    setenv("THIMBLE_BACKEND", name.c_str(), 1);
    EXPECT_EQ(runtime::FilesAreReplaced(), !engine.opens_files);
    EXPECT_FALSE(*IsRemoteBackend(""));
    auto model = Model::Open("no/such/file.safetensors");
    unsetenv("THIMBLE_BACKEND");
    auto backend = Backend::Open(name);
    ASSERT_TRUE(backend.ok()) << backend.status().message();
    std::vector<Embedding> embeddings;
    const std::string_view text = "a text";
    const Status status = backend->Embed({&text, 1}, {}, embeddings);
    if (engine.opens_files) {
      EXPECT_EQ(model.status().code(), Code::kNotFound);
      EXPECT_EQ(status.message(), "backend " + name + ": needs a model");
      continue;
    }
    ASSERT_TRUE(model.ok()) << model.status().message();
    EXPECT_EQ((*model)->info().name, name);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(embeddings[0].vector.size(), (*model)->dimensions());
  }
}

TEST(Backend, EmbedsInThisProcess) {
  auto backend = Backend::Open("mock-hashed", {.cache_bytes = 1 << 20});
  ASSERT_TRUE(backend.ok()) << backend.status().message();
  const auto first = EmbedAll(*backend, {"one", "two", "one"}, {.prompt_name = "query"});
  auto info = backend->Describe();
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(first[0].vector.size(), info->dimensions);
  EXPECT_EQ(first[0].vector, first[2].vector);
  EXPECT_NE(first[0].vector, first[1].vector);
  EXPECT_GT(first[0].tokens.value_or(0), 0U);
  EXPECT_EQ(first[0].truncated, false);
  EXPECT_EQ(EmbedAll(*backend, {"two"}, {.prompt_name = "query"})[0].vector, first[1].vector);
  EXPECT_NE(EmbedAll(*backend, {"two"}, {.prompt_name = ""})[0].vector, first[1].vector);  // Not from the cache.
  std::vector<Embedding> none;
  const std::string_view text = "one";
  EXPECT_EQ(backend->Embed({&text, 1}, {.prompt_name = "nonsense"}, none).code(), Code::kInvalidArgument);
}

TEST(Backend, CutsVectorsInThisProcess) {
  auto backend = Backend::Open("mock", {.dimensions = 5, .cache_bytes = 1 << 20});
  ASSERT_TRUE(backend.ok()) << backend.status().message();
  auto whole = Backend::Open("mock");
  const std::vector<float> expected = EmbedAll(*whole, {"one"})[0].vector;
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(EmbedAll(*backend, {"one"})[0].vector, std::vector<float>(expected.begin(), expected.begin() + 5));
  }
  EXPECT_EQ(backend->Describe()->dimensions, 5U);
  auto longer = Backend::Open("mock", {.dimensions = 385});
  EXPECT_EQ(longer->Describe().status().code(), Code::kInvalidArgument);
}

TEST(Backend, IsChosenByNameOrEnvironment) {
  setenv("THIMBLE_BACKEND", "mock", 1);
  auto backend = Backend::Open("");
  auto remote = IsRemoteBackend("");
  unsetenv("THIMBLE_BACKEND");
  ASSERT_TRUE(backend.ok() && remote.ok());
  EXPECT_FALSE(*remote);
  EXPECT_EQ(EmbedAll(*backend, {"one"})[0].vector.size(), 384U);
  EXPECT_TRUE(*IsRemoteBackend("native,openai:m"));
  for (const char* name : {"cloud", "openai", "mock,", "native:m", "tei:", "cohere:m@http://", ""}) {
    BackendOptions options;
    options.space = *name == '\0' ? "ours" : "";  // Which native lacks.
    EXPECT_FALSE(Backend::Open(name, options).ok()) << name;
  }
}

// Nobody listens there, which is a reason to try again.
constexpr char kNobody[] = "openai:m@http://127.0.0.1:1/v1";

TEST(Backend, KnowsTheLimitOfTokensOfAProviderAtItsOwnAddress) {
  for (const auto& [name, most] : {std::pair("jina:m", 8192U), std::pair("jina:m@http://127.0.0.1:1/v1", 0U)}) {
    auto backend = Backend::Open(name);
    ASSERT_TRUE(backend.ok()) << backend.status().message();
    auto info = backend->Describe();
    ASSERT_TRUE(info.ok()) << info.status().message();
    EXPECT_EQ(info->max_tokens, most) << name;
  }
}

TEST(Backend, CallsEndWhenTheyAreCancelledOrClosed) {
  auto backend = Backend::Open(kNobody, {.max_retries = 100});
  ASSERT_TRUE(backend.ok()) << backend.status().message();
  const auto begin = std::chrono::steady_clock::now();
  std::vector<Embedding> embeddings;
  auto pending = backend->Start({"one"});
  ASSERT_TRUE(pending.ok());
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_FALSE(pending->done());
  pending->Cancel();
  EXPECT_EQ(pending->Wait(embeddings).message(), "texts[0]: openai: the call was aborted");
  {
    auto dropped = backend->Start({"one"});
  }
  auto closed = backend->Start({"one"});
  backend->Close();
  EXPECT_FALSE(closed->Wait(embeddings).ok());
  const std::string_view text = "one";
  EXPECT_NE(backend->Embed({&text, 1}, {}, embeddings).message().find("is closed"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(5));
}

TEST(Backend, FailsAtOnceInTheChildOfAFork) {
  if (!test::kChildrenMayHaveThreads || !test::kOthersMayAllocate) GTEST_SKIP() << "the sanitizer does not allow it";
  auto backend = Backend::Open(kNobody, {.max_retries = 100});
  ASSERT_TRUE(backend.ok());
  auto pending = backend->Start({"one"});
  ASSERT_TRUE(pending.ok());
  EXPECT_EQ(test::ExitCodeOfChild([&] {
              std::vector<Embedding> embeddings;
              const std::string_view text = "one";
              if (backend->Embed({&text, 1}, {}, embeddings).code() != Code::kInvalidArgument) return 1;
              if (backend->Describe().status().message().find("before a fork") == std::string::npos) return 2;
              if (pending->Wait(embeddings).code() != Code::kInvalidArgument) return 3;
              {
                Backend ended = *std::move(backend);
                PendingEmbeddings over = *std::move(pending);
              }
              auto another = Backend::Open("mock-hashed");
              return another.ok() && another->Embed({&text, 1}, {}, embeddings).ok() ? 0 : 4;
            }),
            0);
  pending->Cancel();
}

TEST(Backend, TimeIsLimited) {
  auto backend = Backend::Open(kNobody, {.max_retries = 100});
  const auto begin = std::chrono::steady_clock::now();
  std::vector<Embedding> embeddings;
  const std::string_view text = "one";
  EXPECT_EQ(backend->Embed({&text, 1}, {.timeout = milliseconds(300)}, embeddings).code(), Code::kIo);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(3));
}

TEST(VectorCache, KeepsToItsQuotaAndDropsWhatWasUsedLongestAgo) {
  const Embedding embedding = {std::vector<float>(100, 0.5F), 3, false};
  VectorCache cache(2000);
  for (const char* key : {"a", "b", "c"}) cache.Put(key, embedding);  // 601 bytes each.
  ASSERT_TRUE(cache.Get("a"));
  cache.Put("d", embedding);
  EXPECT_FALSE(cache.Get("b"));
  for (const char* key : {"a", "c", "d"}) EXPECT_TRUE(cache.Get(key)) << key;
  EXPECT_EQ(cache.Get("d")->vector, embedding.vector);
  EXPECT_EQ(cache.Get("d")->tokens, 3U);
  cache.Put("large", {std::vector<float>(1000), {}, {}});
  EXPECT_FALSE(cache.Get("large"));
  EXPECT_TRUE(cache.Get("a"));
}

// Embeds at most `most` texts, with vectors of `length`, and then gives `status`.
class Fake final : public Member {
 public:
  Fake(std::string identity, std::size_t most, Status status, std::size_t length = 2)
      : identity_(std::move(identity)), most_(most), status_(std::move(status)), length_(length) {}
  const std::string& name() const override { return identity_; }
  const std::string& identity() const override { return identity_; }
  Result<BackendInfo> Describe(const Call&) override { return status_; }
  Status Embed(std::span<Item* const> items, const Call&) override {
    ++calls;
    for (std::size_t i = 0; i < std::min(most_, items.size()); ++i) {
      texts.insert(std::string(items[i]->text));
      items[i]->embedding.vector.assign(length_, 1.0F);
    }
    return status_;
  }

  int calls = 0;
  std::set<std::string> texts;

 private:
  const std::string identity_;
  const std::size_t most_;
  const Status status_;
  const std::size_t length_;
};

// A call of a chain with the texts a, b and c.
struct ChainCall {
  std::vector<Item> items = {{"a"}, {"b"}, {"c"}};
  Call call = {.go_on = [] { return true; }};
  Status Embed(Chain& chain) {
    std::vector<Item*> pointers;
    for (Item& item : items) pointers.push_back(&item);
    return chain.Embed(pointers, call);
  }
};

Result<std::unique_ptr<Chain>> ChainOf(std::unique_ptr<Fake> first, std::unique_ptr<Fake> second, bool one_space,
                                       std::size_t dimensions = 0) {
  std::vector<std::unique_ptr<Member>> members;
  members.push_back(std::move(first));
  members.push_back(std::move(second));
  return Chain::Create(std::move(members), one_space, dimensions);
}

TEST(Chain, TheNextBackendDoesWhatTheFirstLeft) {
  auto first = std::make_unique<Fake>("one", 1, Status(Code::kIo, "gone"));
  auto second = std::make_unique<Fake>("two", 9, Status());
  Fake &one = *first, &two = *second;
  auto chain = ChainOf(std::move(first), std::move(second), true);
  ASSERT_TRUE(chain.ok());
  ChainCall call;
  EXPECT_TRUE(call.Embed(**chain).ok());
  EXPECT_EQ(one.texts, (std::set<std::string>{"a"}));
  EXPECT_EQ(two.texts, (std::set<std::string>{"b", "c"}));
  EXPECT_TRUE(ChainCall().Embed(**chain).ok());
  EXPECT_EQ(one.calls, 1);  // It comes last for a while.
}

TEST(Chain, DoesNotMixSpaces) {
  auto different =
      ChainOf(std::make_unique<Fake>("one", 9, Status()), std::make_unique<Fake>("two", 9, Status()), false);
  EXPECT_EQ(different.status().code(), Code::kInvalidArgument);
  auto lengths = ChainOf(std::make_unique<Fake>("one", 1, Status(Code::kIo, "gone"), 2),
                         std::make_unique<Fake>("two", 9, Status(), 3), true);
  ChainCall call;
  EXPECT_NE(call.Embed(**lengths).message().find("two returned vectors of 3 values, expected 2"), std::string::npos);
  EXPECT_EQ(call.items[0].embedding.vector.size(), 2U);
  EXPECT_FALSE(call.items[1].done());
  auto asked =
      ChainOf(std::make_unique<Fake>("one", 9, Status()), std::make_unique<Fake>("two", 9, Status(), 3), true, 3);
  EXPECT_NE(ChainCall().Embed(**asked).message().find("one returned vectors of 2 values, expected 3"),
            std::string::npos);
}

TEST(Chain, EndsWithErrorsThatAnotherBackendWouldHave) {
  auto second = std::make_unique<Fake>("one", 9, Status());
  Fake& two = *second;
  auto chain =
      ChainOf(std::make_unique<Fake>("one", 0, Status(Code::kInvalidArgument, "too long")), std::move(second), false);
  EXPECT_EQ(ChainCall().Embed(**chain).message(), "too long");
  EXPECT_EQ(two.calls, 0);
  auto both = ChainOf(std::make_unique<Fake>("one", 0, Status(Code::kIo, "gone")),
                      std::make_unique<Fake>("one", 0, Status(Code::kOverloaded, "busy")), false);
  const Status status = ChainCall().Embed(**both);
  EXPECT_EQ(status.message(), "no backend succeeded: gone; busy");
  EXPECT_EQ(status.code(), Code::kOverloaded);
}

// Gives the same reply each time, and lets time pass only by waiting.
class Steady final : public Environment {
 public:
  net::HttpReply Send(const net::HttpCall& call, const std::function<bool()>&) override {
    ++sent;
    timeouts.push_back(call.timeout);
    return reply;
  }
  std::chrono::steady_clock::time_point Now() override { return now; }
  std::chrono::system_clock::time_point Today() override { return {}; }
  void Sleep(milliseconds time, const std::function<bool()>&) override {
    waits.push_back(time);
    now += time;
  }
  double Random() override { return 1; }

  net::HttpReply reply;
  int sent = 0;
  std::vector<milliseconds> timeouts;
  std::vector<milliseconds> waits;
  std::chrono::steady_clock::time_point now;
};

struct ClientCall {
  std::shared_ptr<Steady> world = std::make_shared<Steady>();
  Call call = {.go_on = [] { return true; }};
  Status Embed() {
    auto client = Client::Create(TheTable().dialects.at("ollama"), "m", "http://localhost", {}, world);
    Item item = {"one"};
    Item* pointer = &item;
    return (*client)->Embed({&pointer, 1}, call);
  }
};

TEST(Client, WaitsLongerEachTimeAndGivesUp) {
  ClientCall busy;
  busy.world->reply.code = 500;
  EXPECT_EQ(busy.Embed().code(), Code::kIo);
  EXPECT_EQ(busy.world->sent, 5);
  EXPECT_EQ(busy.world->waits,
            (std::vector<milliseconds>{seconds(0) + milliseconds(500), seconds(1), seconds(2), seconds(4)}));
}

TEST(Client, NeitherWaitsNorAsksBeyondTheDeadline) {
  ClientCall asked;
  asked.world->reply.code = 429;
  asked.world->reply.headers = {{"retry-after", "30"}};
  asked.call.deadline = asked.world->now + seconds(40);
  const Status status = asked.Embed();
  EXPECT_NE(status.message().find("try again in 30 s"), std::string::npos) << status.message();
  EXPECT_EQ(asked.world->waits, (std::vector<milliseconds>{seconds(30)}));
  EXPECT_EQ(asked.world->timeouts, (std::vector<milliseconds>{seconds(40), seconds(10)}));
  ClientCall patient;
  patient.world->reply.code = 429;
  patient.world->reply.headers = {{"retry-after", "61"}};
  EXPECT_FALSE(patient.Embed().ok());
  EXPECT_EQ(patient.world->sent, 1);
}

}  // namespace
}  // namespace thimble::backends
