// Picks the command.

#include "cli/program.h"

#include <cstdio>
#include <exception>
#include <new>
#include <string_view>
#include <utility>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/process_start.h"

namespace thimble::cli {
namespace {

struct Command {
  std::string_view name;
  int (*run)(int argc, char** argv);
};
constexpr Command kCommands[] = {
    {"convert", RunConvert}, {"diff", RunDiff}, {"embed", RunEmbed},       {"info", RunInfo},     {"list", RunList},
    {"memory", RunMemory},   {"plan", RunPlan}, {"pull", RunPull},         {"rerank", RunRerank}, {"rm", RunRm},
    {"similar", RunSimilar}, {"sync", RunSync}, {"tokenize", RunTokenize}, {"verify", RunVerify},
#ifdef THIMBLE_SERVER
    {"serve", RunServe},
#endif
};

constexpr char kHelp[] =
    "thimble turns text into sentence embeddings, in little memory.\n"
    "\n"
    "  thimble COMMAND [OPTIONS] [ARGUMENTS]\n"
    "\n"
    "Commands (details: thimble COMMAND --help):\n"
    "  pull       download a model from the Hugging Face hub and convert it\n"
    "  list       list the models on this machine\n"
    "  rm         remove a model\n"
    "  convert    convert a Hugging Face folder to a model file\n"
    "  embed      turn texts into vectors\n"
    "  similar    rank the lines of a file by similarity to a text\n"
    "  sync       keep the vectors of a folder of documents up to date, for similar --store\n"
    "  diff       tell whether an index can be kept when its model is replaced by another\n"
    "  rerank     rank the lines of a file by how well they answer a query\n"
#ifdef THIMBLE_SERVER
    "  serve      run an HTTP server for clients of OpenAI, TEI, Ollama, Cohere, Voyage and Jina\n"
#endif
    "  tokenize   show the token ids of texts\n"
    "  info       show the contents and the accuracy of a model file\n"
    "  verify     check that a model file is intact and reproduces its recorded vectors\n"
    "  plan       show how much memory embedding will take\n"
    "  memory     measure how much memory models take and release\n"
    "\n"
    "Start here:\n"
    "  thimble pull all-MiniLM-L6-v2\n"
    "  thimble embed -m all-MiniLM-L6-v2 \"a short text\"\n"
    "  thimble similar -m all-MiniLM-L6-v2 \"a question\" lines.txt\n"
    "\n"
    "Exit codes: 0 success, 1 failure, 2 wrong use. Diagnostics go to standard error.\n"
    "Environment: THIMBLE_THREADS and THIMBLE_MAX_MEMORY are the defaults of --threads and --max-memory.\n"
    "THIMBLE_HOME is the folder of models; the default is thimble in XDG_CACHE_HOME or ~/.cache.\n"
    "THIMBLE_BACKEND=mock replaces every model by a mock; for embed and similar it also takes the remote backends\n"
    "of --backend. THIMBLE_ISA selects an instruction set; an unknown name lists them.\n";

}  // namespace

int RunProgram(int argc, char** argv) {
#ifdef __GLIBC__
  mallopt(M_TOP_PAD, 16 << 10);  // The heap grows by what is used, not by 128 KiB more.
#endif
  if (!OccupyStandardDescriptors()) return kFailed;
  HandleSignals();
  if (argc < 2) {
    std::fputs(kHelp, stderr);
    return kWrongUse;
  }
  char help[] = "--help";
  if (argc > 2 && std::string_view(argv[1]) == "help") {
    argv[1] = std::exchange(argv[2], help);
    argc = 3;
  }
  std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") {
    return Print(name, kHelp);
  }
  if (name == "--version") {
    return Print(name, "thimble " THIMBLE_VERSION "\n");
  }
  for (const Command& command : kCommands) {
    if (command.name != name) continue;
    HandleFaults(argv[1]);
    try {
      return command.run(argc - 1, argv + 1);
    } catch (const std::bad_alloc&) {
      std::fprintf(stderr, "thimble %s: out of memory\n", argv[1]);
      return kFailed;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "thimble %s: %s\n", argv[1], error.what());
      return kFailed;
    }
  }
#ifndef THIMBLE_SERVER
  if (name == "serve") {
    std::fputs("thimble serve: this build has no server, as in the npm package; build thimble from source\n", stderr);
    return kFailed;
  }
#endif
  std::fprintf(stderr, "thimble: unknown command \"%s\"; run thimble --help for a list\n", argv[1]);
  return kWrongUse;
}

}  // namespace thimble::cli
