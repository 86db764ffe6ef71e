// Replays the exchanges that the client in JavaScript replays too: what is sent, and what is made of the reply.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backends/address.h"
#include "backends/environment.h"
#include "backends/registry.h"

namespace thimble::backends {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr char kKey[] = "key-of-the-tests";

const json& Fixture() {
  static const json fixture = json::parse(std::ifstream(THIMBLE_FIXTURES "/exchanges.json"));
  return fixture;
}

// Expects the requests of a case in their order, and gives its replies.
class Replay final : public Environment {
 public:
  explicit Replay(json exchanges) : exchanges_(std::move(exchanges)) {}

  net::HttpReply Send(const net::HttpCall& call, const std::function<bool()>&) override {
    net::HttpReply reply;
    if (next_ == exchanges_.size()) {
      ADD_FAILURE() << "one request more: " << call.url;
      reply.status = Status(Code::kIo, "no more replies");
      return reply;
    }
    const json& request = exchanges_[next_]["request"];
    const json& answer = exchanges_[next_++]["reply"];
    EXPECT_EQ(call.method, request["method"].get<std::string>());
    EXPECT_EQ(call.url.substr(call.url.find('/', 8)), request["path"].get<std::string>());
    for (const auto& [name, value] : request["headers"].items()) {
      const std::string line = name + ": " + value.get<std::string>();
      EXPECT_EQ(std::count(call.headers.begin(), call.headers.end(), line), 1) << line;
    }
    if (request.contains("body")) {
      EXPECT_EQ(json::parse(call.body), request["body"]);
    }
    reply.code = answer["status"].get<long>();
    for (const auto& [name, value] : answer["headers"].items())
      reply.headers.push_back({name, value.get<std::string>()});
    reply.body = answer.contains("text") ? answer["text"].get<std::string>() : answer["body"].dump();
    EXPECT_LE(reply.body.size(), call.most_bytes);
    return reply;
  }
  std::chrono::steady_clock::time_point Now() override { return now_; }
  std::chrono::system_clock::time_point Today() override { return {}; }
  void Sleep(milliseconds time, const std::function<bool()>&) override { now_ += time; }
  double Random() override { return 0.5; }

  bool done() const { return next_ == exchanges_.size(); }

 private:
  const json exchanges_;
  std::size_t next_ = 0;
  std::chrono::steady_clock::time_point now_;
};

// Makes the call of a case, and expects its requests and its end.
void ExpectAsRecorded(const json& recorded) {
  const json& given = recorded["options"];
  const std::string dialect = recorded["dialect"];
  BackendOptions options;
  options.model = given.value("model", "");
  options.dimensions = given.value("dimensions", 0);
  options.encoding = given.value("encoding", "");
  options.request_texts = given.value("requestTexts", 0);
  options.concurrency = 1;
  if (TheTable().dialects.at(dialect).base_url.empty()) options.base_url = "http://localhost:8080";
  auto replay = std::make_shared<Replay>(recorded["exchanges"]);
  auto made = MakeBackend(dialect, options, replay);

  Call call;
  call.go_on = [] { return true; };
  if (given.contains("inputType")) call.prompt_name = given["inputType"].get<std::string>();
  if (given.contains("longTexts")) call.long_texts = *ParseLongTexts(given["longTexts"].get<std::string>());
  const auto texts = recorded["texts"].get<std::vector<std::string>>();
  std::vector<Item> items;
  for (const std::string& text : texts) items.push_back({text, items.size()});
  std::vector<Item*> pointers;
  for (Item& item : items) pointers.push_back(&item);
  const Status status = made.ok() ? (*made)->Embed(pointers, call) : made.status();
  EXPECT_TRUE(replay->done());

  if (recorded.contains("error")) {
    EXPECT_EQ(CodeName(status.code()), recorded["error"]["code"].get<std::string>()) << status.message();
    for (const json& part : recorded["error"]["says"]) {
      EXPECT_NE(status.message().find(part.get<std::string>()), std::string::npos)
          << part << " in " << status.message();
    }
    EXPECT_EQ(status.message().find(kKey), std::string::npos) << status.message();
    return;
  }
  ASSERT_TRUE(status.ok()) << status.message();
  const json& expected = recorded["result"];
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Embedding& embedding = items[i].embedding;
    EXPECT_EQ(embedding.vector, expected["vectors"][i].get<std::vector<float>>()) << i;
    EXPECT_EQ(embedding.tokens ? json(*embedding.tokens) : json(), expected["tokens"][i]) << i;
    EXPECT_EQ(embedding.truncated ? json(*embedding.truncated) : json(), expected["truncated"][i]) << i;
  }
}

TEST(Exchanges, GoAsRecorded) {
  for (const auto& [name, dialect] : TheTable().dialects) {
    setenv(dialect.key_variables.front().c_str(), kKey, 1);
    if (!dialect.base_url_variable.empty()) unsetenv(dialect.base_url_variable.c_str());
  }
  ASSERT_GT(Fixture()["cases"].size(), 50U);
  for (const json& recorded : Fixture()["cases"]) {
    SCOPED_TRACE(recorded["name"].get<std::string>());
    ExpectAsRecorded(recorded);
  }
  for (const auto& [name, dialect] : TheTable().dialects) unsetenv(dialect.key_variables.front().c_str());
}

TEST(Address, GivesEverySpaceTheFingerprintThatAllClientsGive) {
  for (const json& space : Fixture()["spaces"]) {
    const std::size_t dimensions = space["dimensions"];
    const std::string expected = space["fingerprint"];
    if (space.contains("space")) {
      EXPECT_EQ(NamedFingerprintOf(space["space"].get<std::string>(), dimensions), expected);
      continue;
    }
    const Dialect& dialect = TheTable().dialects.at(space["dialect"].get<std::string>());
    const auto base = BaseUrlOf(dialect, space["baseUrl"].get<std::string>());
    ASSERT_TRUE(base.ok()) << base.status().message();
    EXPECT_EQ(FingerprintOf(dialect.name, base->origin, space["model"].get<std::string>(), dimensions), expected);
  }
}

TEST(Address, TakesBaseUrlsAndRefusesOthersWithoutShowingAPassword) {
  for (const json& url : Fixture()["baseUrls"]) {
    const Dialect& dialect = TheTable().dialects.at(url["dialect"].get<std::string>());
    if (!dialect.base_url_variable.empty()) unsetenv(dialect.base_url_variable.c_str());
    const std::string given = url["given"];
    const auto base = BaseUrlOf(dialect, given);
    EXPECT_EQ(base.ok() ? json(base->text) : json(), url["url"]) << given;
    if (!base.ok()) {
      EXPECT_EQ(base.status().message().find("secret"), std::string::npos) << base.status().message();
    }
  }
}

}  // namespace
}  // namespace thimble::backends
