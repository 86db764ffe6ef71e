// Sizes and JSON lines, as the command line reads them.

#include "cli/options.h"

#include <gtest/gtest.h>

#include "cli/input.h"

namespace thimble::cli {
namespace {

TEST(ParseSize, ReadsDecimalAndBinaryUnits) {
  const std::pair<const char*, std::size_t> cases[] = {
      {"1", 1},        {"4096", 4096},     {"7B", 7},      {"512kB", 512000}, {"512KB", 512000},  {"8MB", 8000000},
      {"8m", 8000000}, {"2g", 2000000000}, {"1KiB", 1024}, {"3MiB", 3 << 20}, {"1GiB", 1u << 30}, {"1gi", 1u << 30},
  };
  for (const auto& [text, bytes] : cases) {
    auto size = ParseSize(text);
    ASSERT_TRUE(size.ok()) << text;
    EXPECT_EQ(*size, bytes) << text;
  }
}

TEST(ParseSize, RefusesWhatIsNoSize) {
  for (const char* text :
       {"", "0", "-1", "MB", "8XB", "8 MB", "1.5MB", "1TB", "8MBB", "8ib", "20000000000G", "99999999999999999999"}) {
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

}  // namespace
}  // namespace thimble::cli
