// What the parser takes, and what it refuses and how it says so.

#include "json/parse.h"

#include <gtest/gtest.h>

#include <string>

namespace thimble::json {
namespace {

TEST(Parse, GivesTheDocument) {
  const std::string text = R"({"a":[1,-2,0.5,"x",null,true,{"b":{}},[]],"c":[[1],[2]]})";
  auto parsed = Parse(text, "reply");
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->Text(), text);
  auto number = Parse(" 7 ", "reply");
  ASSERT_TRUE(number.ok());
  EXPECT_EQ(number->integer(), 7u);
}

void ExpectRefused(const std::string& text, const std::string& message) {
  auto parsed = Parse(text, "reply");
  ASSERT_FALSE(parsed.ok()) << text;
  EXPECT_EQ(parsed.status().code(), Code::kCorrupt);
  EXPECT_EQ(parsed.status().message(), message);
}

TEST(Parse, RefusesWhatIsNotJsonByItsPlace) {
  ExpectRefused("", "reply: is not JSON: unexpected byte 1");
  ExpectRefused("[1,]", "reply: is not JSON: unexpected byte 4");
  ExpectRefused("[1] 2", "reply: is not JSON: unexpected byte 5");
  ExpectRefused("[NaN]", "reply: is not JSON: unexpected byte 2");
  ExpectRefused("[1e999]", "reply: is not JSON: unexpected byte 6");
  ExpectRefused("\"\xff\"", "reply: is not JSON: unexpected byte 2");
}

TEST(Parse, RefusesRepeatedKeys) {
  ExpectRefused(R"({"x":{"a":1,"b":2,"a":3}})", "reply: the key \"a\" appears twice in an object");
  EXPECT_TRUE(Parse(R"([{"a":1},{"a":{"a":2}}])", "reply").ok());
}

TEST(Parse, RefusesDeepNesting) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(Parse(nested(kMaxDepth), "reply").ok());
  ExpectRefused(nested(kMaxDepth + 1), "reply: nested deeper than 64 levels");
  ExpectRefused(std::string(1 << 20, '['), "reply: nested deeper than 64 levels");
}

TEST(Parse, KeepsToTheLimitsOfTheCaller) {
  EXPECT_TRUE(Parse("[1,{\"a\":2}]", "reply", {.depth = 2, .values = 4}).ok());
  auto more = Parse("[1,{\"a\":2}]", "reply", {.values = 3});
  EXPECT_EQ(more.status().message(), "reply: more than 3 values");
  auto deeper = Parse("[1,{\"a\":2}]", "reply", {.depth = 1});
  EXPECT_EQ(deeper.status().message(), "reply: nested deeper than 1 levels");
}

}  // namespace
}  // namespace thimble::json
