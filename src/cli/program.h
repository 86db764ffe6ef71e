// The command line, as a function.

#ifndef THIMBLE_CLI_PROGRAM_H_
#define THIMBLE_CLI_PROGRAM_H_

namespace thimble::cli {

// THIMBLE_PROGRAM_EXPORT: for a program outside of the library that it is in.
#ifdef THIMBLE_PROGRAM_EXPORT
#define THIMBLE_PROGRAM_API [[gnu::visibility("default")]]
#else
#define THIMBLE_PROGRAM_API
#endif

// What main() does; returns the exit code. For a process that does nothing else: it takes over signals and standard
// streams.
THIMBLE_PROGRAM_API int RunProgram(int argc, char** argv);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_PROGRAM_H_
