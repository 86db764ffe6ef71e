// The command line, as a function.

#ifndef THIMBLE_CLI_PROGRAM_H_
#define THIMBLE_CLI_PROGRAM_H_

namespace thimble::cli {

// What main() does; returns the exit code. For a process that does nothing else: it takes over signals and standard
// streams.
int RunProgram(int argc, char** argv);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_PROGRAM_H_
