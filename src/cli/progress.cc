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

}  // namespace

Progress::Progress(bool allowed) : enabled_(allowed && isatty(STDERR_FILENO) == 1), begin_(Clock::now()) {}

Progress::~Progress() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

void Progress::Show(std::optional<double> share, std::uint64_t texts) {
  if (!enabled_) return;
  Clock::time_point now = Clock::now();
  if (now - begin_ < kPatience || (drawn_ && now - last_ < kInterval)) return;
  drawn_ = true;
  last_ = now;
  std::string line = "\r\033[K";
  if (share) {
    double part = std::clamp(*share, 0.0, 1.0);
    auto filled = static_cast<std::size_t>(part * kWidth);
    line += "[" + std::string(filled, '#') + std::string(kWidth - filled, ' ') + "] ";
    line += std::to_string(static_cast<int>(part * 100)) + " %  ";
  }
  if (texts > 0) {
    double seconds = std::chrono::duration<double>(now - begin_).count();
    line += std::to_string(texts) + " texts, " +
            std::to_string(static_cast<std::uint64_t>(static_cast<double>(texts) / seconds)) + " a second";
  }
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace thimble::cli
