// The command line.

#include "cli/program.h"

int main(int argc, char** argv) { return thimble::cli::RunProgram(argc, argv); }
