// Reads what replies say of retries, and draws the waits between attempts.

#include "net/retry.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <mutex>
#include <random>
#include <thread>

namespace thimble::net {
namespace {

using std::chrono::milliseconds;

// Longer than anybody waits, and far from overflow.
constexpr double kMostMilliseconds = 1e12;
// How often a wait asks whether to go on.
constexpr milliseconds kNap(20);

// Digits, perhaps with a fraction.
std::optional<double> ParseDecimal(std::string_view text) {
  double number = 0, unit = 1;
  bool fraction = false;
  if (text.empty() || text.size() > 32 || text.front() == '.' || text.back() == '.') return std::nullopt;
  for (const char letter : text) {
    if (letter == '.' && !fraction) {
      fraction = true;
    } else if (letter >= '0' && letter <= '9') {
      number = number * 10 + (letter - '0');
      if (fraction) unit *= 10;
    } else {
      return std::nullopt;
    }
  }
  return number / unit;
}

// The digits text[begin .. begin + count), or -1.
int Digits(std::string_view text, std::size_t begin, std::size_t count) {
  int number = 0;
  const char *first = text.data() + begin, *last = first + count;
  auto [end, error] = std::from_chars(first, last, number);
  return error == std::errc() && end == last && *first != '-' ? number : -1;
}

}  // namespace

std::optional<std::chrono::system_clock::time_point> ParseHttpDate(std::string_view text) {
  constexpr std::string_view kForm = "???, ?? ??? ???? ??:??:?? GMT";
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kForm[i] != '?' && kForm[i] != text[i]) return std::nullopt;
  }
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const int day = Digits(text, 5, 2), year = Digits(text, 12, 4);
  const int hour = Digits(text, 17, 2), minute = Digits(text, 20, 2), second = Digits(text, 23, 2);
  if (month == kMonths.end() || day < 0 || year < 0 || hour < 0 || minute < 0 || second < 0) return std::nullopt;
  const auto date = std::chrono::year(year) / static_cast<int>(month - kMonths.begin() + 1) / day;
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

std::optional<milliseconds> AskedDelay(const RetryPolicy& policy, const HttpResult& reply,
                                       std::chrono::system_clock::time_point now) {
  const auto rounded = [](double ms) {
    return milliseconds(static_cast<std::int64_t>(std::min(ms, kMostMilliseconds)));
  };
  if (const auto ms = ParseDecimal(reply.Header(policy.after_ms))) return rounded(*ms);
  const std::string_view after = reply.Header(policy.after);
  if (const auto seconds = ParseDecimal(after)) return rounded(*seconds * 1000);
  if (const auto date = ParseHttpDate(after)) {
    return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(*date - now));
  }
  return std::nullopt;
}

bool IsWorthRetrying(const RetryPolicy& policy, const HttpResult& reply) {
  if (!reply.status.ok()) return reply.lost;
  const std::string_view should = reply.Header(policy.should);
  if (should == "true" || should == "false") return should == "true";
  return reply.code >= policy.codes_from ||
         std::find(policy.codes.begin(), policy.codes.end(), reply.code) != policy.codes.end();
}

milliseconds BackoffDelay(const RetryPolicy& policy, int attempt, double random) {
  milliseconds most = policy.first_delay;
  for (int i = 1; i < attempt && most < policy.most_delay; ++i) most *= 2;
  return milliseconds(
      static_cast<std::int64_t>(static_cast<double>(std::min(most, policy.most_delay).count()) * random));
}

double RandomPart() {
  static std::mutex mutex;
  // Such processes differ in nanoseconds, which is enough to spread their attempts.
  static std::minstd_rand random(static_cast<unsigned>(std::chrono::steady_clock::now().time_since_epoch().count()));
  const std::lock_guard lock(mutex);
  return std::uniform_real_distribution<double>(0, 1)(random);
}

void Wait(milliseconds time, const std::function<bool()>& go_on) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + time;
  for (auto now = Clock::now(); now < end && go_on(); now = Clock::now()) {
    std::this_thread::sleep_for(std::min<Clock::duration>(kNap, end - now));
  }
}

}  // namespace thimble::net
