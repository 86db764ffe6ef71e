// When requests are sent again: what servers ask for, and what is drawn where they ask for nothing.

#include "net/retry.h"

#include <gtest/gtest.h>

#include <chrono>

namespace thimble::net {
namespace {

using std::chrono::milliseconds;

const RetryPolicy kPolicy = {.codes = {408, 409, 429}};

HttpReply Reply(long code, std::vector<HttpHeader> headers = {}) {
  HttpReply reply;
  reply.code = code;
  reply.headers = std::move(headers);
  return reply;
}

TEST(Retry, IsForCodesLostConnectionsAndServersThatSaySo) {
  for (const long code : {408, 409, 429, 500, 503, 599}) EXPECT_TRUE(IsWorthRetrying(kPolicy, Reply(code))) << code;
  for (const long code : {200, 307, 400, 401, 404, 413, 422})
    EXPECT_FALSE(IsWorthRetrying(kPolicy, Reply(code))) << code;
  EXPECT_TRUE(IsWorthRetrying(kPolicy, Reply(400, {{"x-should-retry", "true"}})));
  EXPECT_FALSE(IsWorthRetrying(kPolicy, Reply(500, {{"x-should-retry", "false"}})));
  HttpReply failed = Reply(0);
  failed.status = Status(Code::kIo, "no route");
  EXPECT_FALSE(IsWorthRetrying(kPolicy, failed));
  failed.lost = true;
  EXPECT_TRUE(IsWorthRetrying(kPolicy, failed));
}

TEST(Retry, WaitsAsLongAsTheServerAsks) {
  const auto now = *ParseHttpDate("Sun, 06 Nov 1994 08:49:30 GMT");
  const auto asked = [&](std::vector<HttpHeader> headers) { return AskedDelay(kPolicy, Reply(429, headers), now); };
  EXPECT_EQ(asked({{"retry-after-ms", "20"}, {"retry-after", "3"}}), milliseconds(20));
  EXPECT_EQ(asked({{"retry-after", "3"}}), milliseconds(3000));
  EXPECT_EQ(asked({{"retry-after", "0.5"}}), milliseconds(500));
  EXPECT_EQ(asked({{"retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"}}), milliseconds(7000));
  EXPECT_EQ(asked({{"retry-after", "Sun, 06 Nov 1994 08:49:20 GMT"}}), milliseconds(0));
  EXPECT_GT(asked({{"retry-after", "99999999999999999999999999"}}), std::chrono::hours(24));
  EXPECT_EQ(asked({}), std::nullopt);
  for (const char* nonsense :
       {"-1", "nan", "1e3", ".5", "5.", "1.2.3", "soon", "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 0x Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(asked({{"retry-after", nonsense}, {"retry-after-ms", nonsense}}), std::nullopt) << nonsense;
  }
}

TEST(Retry, WaitsForAPartOfATimeThatDoubles) {
  EXPECT_EQ(BackoffDelay(kPolicy, 1, 1.0), milliseconds(500));
  EXPECT_EQ(BackoffDelay(kPolicy, 2, 1.0), milliseconds(1000));
  EXPECT_EQ(BackoffDelay(kPolicy, 4, 0.25), milliseconds(1000));
  EXPECT_EQ(BackoffDelay(kPolicy, 100, 1.0), milliseconds(8000));
  EXPECT_EQ(BackoffDelay(kPolicy, 3, 0.0), milliseconds(0));
}

}  // namespace
}  // namespace thimble::net
