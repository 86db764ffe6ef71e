// Values against those of nlohmann, and what only ours promise.

#include "json/value.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <type_traits>

#include "json/parse.h"

namespace thimble::json {
namespace {

static_assert(std::is_nothrow_move_constructible_v<Value> && std::is_nothrow_move_constructible_v<Member>);
static_assert(sizeof(Value) == 16);

std::string Expected(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

TEST(Value, FractionsHaveTheDigitsOfNlohmann) {
  for (double value : {0.0,
                       -0.0,
                       1.0,
                       10.0,
                       1e-12,
                       1e-5,
                       1e-4,
                       0.001,
                       1.5,
                       100.25,
                       123456.789,
                       1e14,
                       1e15,
                       1e16,
                       1e300,
                       5e-324,
                       std::numeric_limits<double>::max(),
                       1.0 / 3,
                       1e22,
                       -2.5e-7,
                       std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(Value(value).Text(), Expected(value));
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const double value = std::bit_cast<double>(random());
    const std::string text = Value(value).Text();
    if (value == value) {
      EXPECT_EQ(Parse(text, "")->number(), value) << text;
    }
    EXPECT_LE(text.size(), Expected(value).size());
  }
}

TEST(Value, StringsAreEscapedAndMadeUtf8AsByNlohmann) {
  std::mt19937 random(1);
  constexpr std::string_view kBytes =
      "a\"\\\n\x01\x1f\x7f\x80\xbf\xc1\xc3\xa9\xe0\xe2\x82\xac\xed\xa0\xf0\x9f\x98\x80\xf4\x90\xff";
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (std::size_t length = random() % 9; length > 0; --length) text += kBytes[random() % kBytes.size()];
    EXPECT_EQ(Value(text).Text(), Expected(text));
  }
}

TEST(Value, KeepsWhatItIsGiven) {
  const Value value = Object{{"b", 1}, {"a", Array{nullptr, true, -1, "x", 0.5}}, {"c", Object()}};
  EXPECT_EQ(value.Text(), R"({"b":1,"a":[null,true,-1,"x",0.5],"c":{}})");
  EXPECT_EQ(value.Find("b")->integer(), 1u);
  EXPECT_EQ(value.Find("z"), nullptr);
  EXPECT_EQ(value.Find("a")->array()[2].number(), -1);
  EXPECT_EQ(value.Find("a")->Find("a"), nullptr);
  Value copy = value;
  copy.object()["a"] = 2;
  copy.object()["d"] = "new";
  EXPECT_EQ(copy.Text(), R"({"b":1,"a":2,"c":{},"d":"new"})");
  EXPECT_EQ(value.Find("a")->array().size(), 5u);
  EXPECT_EQ(Value(std::numeric_limits<std::int64_t>::min()).Text(), "-9223372036854775808");
  EXPECT_EQ(Value(std::numeric_limits<std::uint64_t>::max()).Text(), "18446744073709551615");
}

TEST(Object, FindsInAnyOrderAndSorts) {
  Object object;
  for (int i = 0; i < 100; ++i) object[std::to_string(i * 37 % 100)] = i;
  EXPECT_EQ(object.size(), 100u);
  EXPECT_EQ(object.Sort(), nullptr);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(object.Find(std::to_string(i * 37 % 100))->number(), i);
  object.Append("5");
  EXPECT_EQ(*object.Sort(), "5");
}

}  // namespace
}  // namespace thimble::json
