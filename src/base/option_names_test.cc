// The names that readers of a message know.

#include "base/option_names.h"

#include <gtest/gtest.h>

namespace thimble::base {
namespace {

TEST(OptionNames, AreThoseOfTheReader) {
  constexpr char kMessage[] = "`max_memory` allows 5; set `cache_size` and `cache`, or `max_wait` to less";
  EXPECT_EQ(WithOptionNames(kMessage, OptionNames::kFlags),
            "--max-memory allows 5; set --cache-size and --cache, or --max-wait to less");
  EXPECT_EQ(WithOptionNames(kMessage, OptionNames::kC),
            "`max_memory` allows 5; set `cache_bytes` and `cache`, or `max_wait` to less");
  EXPECT_EQ(WithOptionNames(kMessage, OptionNames::kNode),
            "maxMemory allows 5; set cache.maxBytes and cache.path, or maxWaitMs to less");
  EXPECT_EQ(WithOptionNames("raise `embedder.max_memory`", OptionNames::kC), "raise `call_max_memory`");
}

TEST(OptionNames, OtherTextStays) {
  for (const char* other : {"", "`", "plain", "a `b c` d", "`` `Name` `x", "C:\\`1`"}) {
    for (const OptionNames names : {OptionNames::kFlags, OptionNames::kC, OptionNames::kNode}) {
      EXPECT_EQ(WithOptionNames(other, names), other);
    }
  }
}

}  // namespace
}  // namespace thimble::base
