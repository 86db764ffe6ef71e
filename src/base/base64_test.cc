// Base64: RFC 4648's examples, every byte, and texts that are none.

#include "base/base64.h"

#include <gtest/gtest.h>

namespace thimble::base {
namespace {

std::string Base64(std::string_view bytes) {
  std::string text;
  AppendBase64(std::as_bytes(std::span(bytes)), text);
  return text;
}

TEST(Base64, WritesAndReadsEveryLength) {
  for (const auto& [bytes, text] : std::initializer_list<std::pair<const char*, const char*>>{
           {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe", "//4="}}) {
    EXPECT_EQ(Base64(bytes), text);
    EXPECT_EQ(FromBase64(text), bytes);
  }
}

TEST(Base64, ReadsEveryByteBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i * 167);
  EXPECT_EQ(FromBase64(Base64(bytes)), bytes);
}

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg==Zg==", "====", "Z===", "Zm9-", "Zm9_", "Zm 9", "Zm9v\n"}) {
    EXPECT_FALSE(FromBase64(text)) << text;
  }
}

}  // namespace
}  // namespace thimble::base
