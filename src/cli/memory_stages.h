// The child of thimble memory.

#ifndef THIMBLE_CLI_MEMORY_STAGES_H_
#define THIMBLE_CLI_MEMORY_STAGES_H_

#include <cstddef>
#include <string>

#include "thimble/status.h"

namespace thimble::cli {

inline constexpr std::size_t kLongTexts = 64;
inline constexpr std::size_t kLongTextWords = 250;
inline constexpr std::size_t kShortTexts = 2000;

// The texts that memory is measured with: the long ones and then the short ones, of 3 to 15 words, one a line; always
// the same.
std::string MemoryTexts();

// Loads `model` (a path or a mock), embeds the texts of a file made by MemoryTexts, waits until idle, unloads and loads
// again, with the stages start, loaded, embedded, idle, unloaded of staged_process.h; then prints "reload_ms" and the
// time of loading again with a first vector.
Status RunMemoryStages(const std::string& model, const std::string& texts_path);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_MEMORY_STAGES_H_
