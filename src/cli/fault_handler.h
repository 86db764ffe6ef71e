// Faults of memory that a changed model file or a failing disk causes, as messages.

#ifndef THIMBLE_CLI_FAULT_HANDLER_H_
#define THIMBLE_CLI_FAULT_HANDLER_H_

namespace thimble::cli {

// Handles SIGBUS and SIGSEGV of this process: if a mapped file caused the fault, says which and what happened on
// standard error and exits with kFailed; otherwise does what was done before. `command` must outlive the process.
void HandleFaults(const char* command);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_FAULT_HANDLER_H_
