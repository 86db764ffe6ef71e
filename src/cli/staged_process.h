// A child process that goes through stages, and its memory meanwhile.
//
// The child writes "stage NAME" as a line to its standard output at each stage, and continues when it gets a line on
// its standard input. What else it writes is kept.

#ifndef THIMBLE_CLI_STAGED_PROCESS_H_
#define THIMBLE_CLI_STAGED_PROCESS_H_

#include <map>
#include <string>
#include <vector>

#include "thimble/memory.h"
#include "thimble/status.h"

namespace thimble::cli {

struct StagedMemory {
  std::map<std::string, ProcessMemory> stages;  // At each, by name.
  ProcessMemory peak;                           // The most of each figure, sampled each millisecond and at the stages.
  std::string rest;                             // Lines that are no stages, of standard error too.
};

// Runs a command to its end. kIo when it cannot be started, fails (with the end of what it wrote) or its memory cannot
// be read.
Result<StagedMemory> RunStaged(const std::vector<std::string>& command);

// Milliseconds from start to end of a command that succeeds: the median of `runs`, its output thrown away. kIo as
// above.
Result<double> TimeCommand(const std::vector<std::string>& command, int runs);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_STAGED_PROCESS_H_
