// The commands of the command line. Each takes the arguments behind its name and returns the exit code.

#ifndef THIMBLE_CLI_COMMANDS_H_
#define THIMBLE_CLI_COMMANDS_H_

namespace thimble::cli {

// argv[0] is the command's name.
int RunConvert(int argc, char** argv);
int RunDiff(int argc, char** argv);
int RunEmbed(int argc, char** argv);
int RunInfo(int argc, char** argv);
int RunList(int argc, char** argv);
int RunMemory(int argc, char** argv);
int RunPlan(int argc, char** argv);
int RunPull(int argc, char** argv);
int RunRerank(int argc, char** argv);
int RunRm(int argc, char** argv);
int RunServe(int argc, char** argv);  // Where THIMBLE_SERVER is defined.
int RunSimilar(int argc, char** argv);
int RunSync(int argc, char** argv);
int RunTokenize(int argc, char** argv);
int RunVerify(int argc, char** argv);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_COMMANDS_H_
