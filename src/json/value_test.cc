// Text of values, and finding members.

#include "json/value.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <random>
#include <string>
#include <type_traits>

#include "json/parse.h"

namespace thimble::json {
namespace {

static_assert(std::is_nothrow_move_constructible_v<Value> && std::is_nothrow_move_constructible_v<Member>);
static_assert(sizeof(Value) == 16);

TEST(Value, FractionsHaveAPointOrAnExponentAndReadBack) {
  const std::pair<double, const char*> cases[] = {{0.0, "0.0"},
                                                  {-0.0, "-0.0"},
                                                  {1.0, "1.0"},
                                                  {1e-12, "1e-12"},
                                                  {1e-5, "1e-05"},
                                                  {1e-4, "0.0001"},
                                                  {100.25, "100.25"},
                                                  {123456.789, "123456.789"},
                                                  {1e14, "100000000000000.0"},
                                                  {1e15, "1e+15"},
                                                  {5e-324, "5e-324"},
                                                  {-2.5e-7, "-2.5e-07"},
                                                  {1.0 / 3, "0.3333333333333333"},
                                                  {std::numeric_limits<double>::infinity(), "null"}};
  for (const auto& [value, text] : cases) EXPECT_EQ(Value(value).Text(), text);
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (value == value) {
      EXPECT_EQ(Parse(Value(value).Text(), "")->number(), value);
    }
  }
}

// Fingerprints hash the text of a model's epsilon.
TEST(Value, FractionsOfTwoDigitsHaveNoMore) {
  for (int digits = 1; digits < 100; ++digits) {
    for (int exponent = 5; exponent < 20; ++exponent) {
      const std::string text =
          std::to_string(digits / 10) + "." + std::to_string(digits % 10) + "e-" + std::to_string(exponent);
      EXPECT_LE(Value(std::strtod(text.c_str(), nullptr)).Text().size(), std::string("1.2e-10").size()) << text;
    }
  }
}

TEST(Value, StringsAreEscapedAndMadeUtf8) {
  const std::pair<std::string, const char*> cases[] = {
      {"a\"\\/\b\f\n\r\t", R"("a\"\\/\b\f\n\r\t")"},
      {std::string("\0\x01\x1f\x7f", 4), "\"\\u0000\\u0001\\u001f\x7f\""},
      {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
      {"a\x80", "\"a\xef\xbf\xbd\""},
      {"\xc3(", "\"\xef\xbf\xbd(\""},
      {"\xe2\x82", "\"\xef\xbf\xbd\""}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(Value(text).Text(), expected);
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % 9, '\0');
    for (char& c : text) c = static_cast<char>(random());
    const auto parsed = Parse(Value(text).Text(), "");
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_EQ(Value(parsed->string()).Text(), Value(text).Text());
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
