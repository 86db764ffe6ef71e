// What a process needs before it does anything.

#ifndef THIMBLE_CLI_PROCESS_START_H_
#define THIMBLE_CLI_PROCESS_START_H_

#include <string>
#include <vector>

namespace thimble::cli {

// Occupies standard input, output and error where they are closed, so that no file that is opened later is taken for
// one of them; reading or writing them is then an error. False if even that fails.
bool OccupyStandardDescriptors();

// A closed pipe and a file size limit fail like any other write; SIGINT, SIGTERM and SIGHUP, unless they are ignored,
// remove the leftovers (base/leftover.h) before they end the process. The server replaces these three.
void HandleSignals();

// Handles SIGBUS and SIGSEGV of this process: if a mapped file caused the fault, says which and what happened on
// standard error and exits with kFailed; otherwise does what was done before. `command` must outlive the process.
void HandleFaults(const char* command);

// What starts the command line in a process of its own, for commands that do; empty where the file of this process
// does.
std::vector<std::string>& OwnCommand();

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_PROCESS_START_H_
