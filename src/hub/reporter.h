// Tells the caller of a pull how far it is, a few times a second, and remembers its wish to end it.

#ifndef THIMBLE_HUB_REPORTER_H_
#define THIMBLE_HUB_REPORTER_H_

#include <chrono>
#include <functional>

#include "thimble/hub.h"

namespace thimble::hub {

class Reporter {
 public:
  explicit Reporter(const std::function<bool(const PullProgress&)>& report) : report_(report) {}

  PullProgress& progress() { return progress_; }
  // Changes the stage.
  void Enter(PullProgress::Stage stage) {
    progress_.stage = stage;
    last_ = {};
    GoOn();
  }
  // Reports if it is time to; whether to go on.
  bool GoOn() {
    constexpr std::chrono::milliseconds kInterval{50};
    const auto now = std::chrono::steady_clock::now();
    if (report_ && go_on_ && now - last_ >= kInterval) {
      last_ = now;
      go_on_ = report_(progress_);
    }
    return go_on_;
  }
  bool ended() const { return !go_on_; }

 private:
  const std::function<bool(const PullProgress&)>& report_;
  PullProgress progress_;
  std::chrono::steady_clock::time_point last_;
  bool go_on_ = true;
};

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_REPORTER_H_
