// Writing lines without waiting.

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <ctime>

#include "json/writer.h"
#include "server/metrics.h"

namespace thimble::server {
namespace {

std::string TimeNow() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  char text[48];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(milliseconds));
  return text;
}

}  // namespace

void LogLine(const json::Object& fields) {
  pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return;
  std::string line;
  json::Writer writer(line);
  writer.Open('{').Member("time", TimeNow());
  for (const auto& [key, value] : fields) writer.Member(key, value);
  writer.Close('}');
  line += '\n';
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

void LogEvent(const std::string& event, const std::string& text) { LogLine({{"event", event}, {"text", text}}); }

}  // namespace thimble::server
