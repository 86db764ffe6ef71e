// What the environment says of the hub.

#ifndef THIMBLE_HUB_SETTINGS_H_
#define THIMBLE_HUB_SETTINGS_H_

#include <string>

#include "thimble/status.h"

namespace thimble::hub {

struct Settings {
  std::string endpoint = "https://huggingface.co";  // HF_ENDPOINT, without a slash at its end.
  std::string token;                                // HF_TOKEN
  bool offline = false;                             // HF_HUB_OFFLINE
  long timeout_seconds = 30;                        // HF_HUB_DOWNLOAD_TIMEOUT
};

// kInvalidArgument for values that cannot be used; the message does not show a token.
Result<Settings> ReadSettings();

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_SETTINGS_H_
