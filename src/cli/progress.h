// A bar on standard error that tells how far a long run is; nothing where that is not a terminal.

#ifndef THIMBLE_CLI_PROGRESS_H_
#define THIMBLE_CLI_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace thimble::cli {

// Thread-compatible. Erases the bar when destroyed.
class Progress {
 public:
  // `allowed` is false when the results go to the same terminal.
  explicit Progress(bool allowed);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `share` is from 0 to 1, unset when the end is unknown; `texts` is 0 when nothing is counted.
  void Show(std::optional<double> share, std::uint64_t texts) { Show(share, texts, 0, 0); }
  // The same of a run that began at `first_share` and `first_texts`, which do not count for its speed.
  void Show(std::optional<double> share, std::uint64_t texts, double first_share, std::uint64_t first_texts);
  // Of a transfer; `total_bytes` is 0 when unknown.
  void ShowBytes(std::uint64_t bytes, std::uint64_t total_bytes);

 private:
  // Whether it is time to draw; `seconds` since the beginning.
  bool IsTime(double& seconds);
  void Draw(std::optional<double> share, const std::string& text);

  using Clock = std::chrono::steady_clock;
  bool enabled_;
  bool drawn_ = false;
  Clock::time_point begin_;
  Clock::time_point last_;
};

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_PROGRESS_H_
