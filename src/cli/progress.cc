// Draws the progress bar.

#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace thimble::cli {
namespace {

constexpr std::chrono::milliseconds kPatience{500};  // A shorter run shows nothing.
constexpr std::chrono::milliseconds kInterval{100};
constexpr int kWidth = 30;

// As "1:02:03 left" or "2:03 left".
std::string TimeLeft(double seconds) {
  constexpr double kMost = 359999;
  const auto left = static_cast<unsigned>(std::clamp(seconds, 0.0, kMost));
  char text[32];
  if (left >= 3600) {
    std::snprintf(text, sizeof text, "%u:%02u:%02u left", left / 3600, left / 60 % 60, left % 60);
  } else {
    std::snprintf(text, sizeof text, "%u:%02u left", left / 60, left % 60);
  }
  return text;
}

}  // namespace

Progress::Progress(bool allowed) : enabled_(allowed && isatty(STDERR_FILENO) == 1), begin_(Clock::now()) {}

Progress::~Progress() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

bool Progress::IsTime(double& seconds) {
  if (!enabled_) return false;
  Clock::time_point now = Clock::now();
  if (now - begin_ < kPatience || (drawn_ && now - last_ < kInterval)) return false;
  drawn_ = true;
  last_ = now;
  seconds = std::chrono::duration<double>(now - begin_).count();
  return true;
}

void Progress::Draw(std::optional<double> share, const std::string& text) {
  std::string line = "\r\033[K";
  if (share) {
    double part = std::clamp(*share, 0.0, 1.0);
    auto filled = static_cast<std::size_t>(part * kWidth);
    line += "[" + std::string(filled, '#') + std::string(kWidth - filled, ' ') + "] ";
    line += std::to_string(static_cast<int>(part * 100)) + " %  ";
  }
  std::fputs((line + text).c_str(), stderr);
  std::fflush(stderr);
}

void Progress::Show(std::optional<double> share, std::uint64_t texts, double first_share, std::uint64_t first_texts) {
  double seconds;
  if (!IsTime(seconds)) return;
  std::string text;
  if (texts > 0) {
    text = std::to_string(texts) + " texts, " +
           std::to_string(static_cast<std::uint64_t>(static_cast<double>(texts - first_texts) / seconds)) + " a second";
    if (share && *share > first_share) text += ", " + TimeLeft(seconds * (1 - *share) / (*share - first_share));
  }
  Draw(share, text);
}

void Progress::ShowBytes(std::uint64_t bytes, std::uint64_t total_bytes) {
  double seconds;
  if (!IsTime(seconds)) return;
  const double megabytes = static_cast<double>(bytes) * 1e-6, total = static_cast<double>(total_bytes) * 1e-6;
  char text[96];
  if (total_bytes == 0) {
    std::snprintf(text, sizeof text, "%.1f MB, %.1f a second", megabytes, megabytes / seconds);
    return Draw(std::nullopt, text);
  }
  std::snprintf(text, sizeof text, "%.1f of %.1f MB, %.1f a second", megabytes, total, megabytes / seconds);
  Draw(megabytes / total, text);
}

}  // namespace thimble::cli
