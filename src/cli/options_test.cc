// Sizes, JSON lines and messages, as the command line reads and prints them.

#include "cli/options.h"

#include <gtest/gtest.h>

#include "cli/input.h"

namespace thimble::cli {
namespace {

TEST(ParseSize, ReadsDecimalAndBinaryUnits) {
  const std::pair<const char*, std::size_t> cases[] = {
      {"1", 1},
      {"4096", 4096},
      {"7B", 7},
      {"512kB", 512000},
      {"512KB", 512000},
      {"8MB", 8000000},
      {"8m", 8000000},
      {"2g", 2000000000},
      {"1KiB", 1024},
      {"3MiB", 3 << 20},
      {"1GiB", 1u << 30},
      {"1gi", 1u << 30},
      {"16 MB", 16000000},
      {"1.5MB", 1500000},
      {"0.25 GiB", 1 << 28},
      {"1.001k", 1001},
      {"1.0009kB", 1000},
      {"4.35MB", 4350000},
      {"1.999999999GiB", 2147483646},
      {"010MB", 10000000},
      {"2TiB", std::size_t{2} << 40},
      {"16MB ", 16000000},
  };
  for (const auto& [text, bytes] : cases) {
    auto size = ParseSize(text);
    ASSERT_TRUE(size.ok()) << text;
    EXPECT_EQ(*size, bytes) << text;
  }
}

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const char* text :
       {"", "0", "-1", "MB", "8XB", "1.5", "1.5 B", "1.MB", ".5MB", "1.5.5MB", "1,5MB", "0x10", "0MB", "8MBB", "16MB x",
        "0.0001kB", "1.0000000001GB", "20000000000G", "99999999999999999999"}) {
    auto size = ParseSize(text);
    ASSERT_FALSE(size.ok()) << text;
    EXPECT_EQ(size.status().code(), Code::kInvalidArgument);
    EXPECT_NE(size.status().message().find(text), std::string::npos);
  }
}

TEST(TextOfJson, TakesTheFieldOfTheOutermostObjectOnly) {
  auto text = TextOfJson(R"({"a": {"text": "inner"}, "b": [{"text": "listed"}], "text": "outer"})", "text");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text, "outer");
  EXPECT_FALSE(TextOfJson(R"({"a": {"text": "inner"}})", "text").ok());
}

TEST(TextOfJson, KeepsNulAndEscapes) {
  auto text = TextOfJson(R"("a\u0000b\ud83d\ude00\n")", "text");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text, std::string("a\0b\xF0\x9F\x98\x80\n", 8));
}

TEST(Options, PositiveNumbers) {
  const CLI::Validator positive = Positive();
  for (const char* text : {"1", "0.5", "1e3"}) EXPECT_EQ(positive(text), "") << text;
  for (const char* text : {"0", "-1", "x", "", "nan"}) {
    EXPECT_EQ(positive(text), std::string("expected a number above 0, found \"") + text + "\"");
  }
}

}  // namespace
}  // namespace thimble::cli
