// What the environment says of the hub, by the variables of huggingface_hub and with their meaning there.

#ifndef THIMBLE_HUB_SETTINGS_H_
#define THIMBLE_HUB_SETTINGS_H_

#include <string>

#include "thimble/status.h"

namespace thimble::hub {

struct Settings {
  std::string endpoint = "https://huggingface.co";  // HF_ENDPOINT, without a slash at its end.
  std::string token;                                // HF_TOKEN or HUGGING_FACE_HUB_TOKEN, else the file TokenPath().
  long timeout_seconds = 30;                        // HF_HUB_DOWNLOAD_TIMEOUT
};

// kInvalidArgument for values that cannot be used; the message does not show a token.
Result<Settings> ReadSettings();

// HF_HUB_OFFLINE, or else TRANSFORMERS_OFFLINE.
bool IsOffline();
// HF_HUB_CACHE, or HUGGINGFACE_HUB_CACHE, or hub in HF_HOME, which is huggingface in XDG_CACHE_HOME or ~/.cache. Empty
// without a home.
std::string HubCache();
// HF_TOKEN_PATH, or token in HF_HOME.
std::string TokenPath();

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_SETTINGS_H_
