// Runs the corpora of all targets, and some mutations of each input, without libFuzzer: a plain test.
//
//   fuzz_replay CORPORA [MUTATIONS [TARGET]]   CORPORA/TARGET/* and what targets begin with
//   fuzz_replay --write CORPORA                writes what targets begin with

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/fuzz.h"

namespace {

namespace fs = std::filesystem;
using thimble::fuzz::Target;

std::vector<std::string> Inputs(const fs::path& folder, const Target& target) {
  std::vector<std::string> inputs;
  if (target.seeds != nullptr) inputs = target.seeds();
  std::vector<fs::path> paths;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder / target.name, ignored)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--write") == 0) {
    for (const Target& target : thimble::fuzz::Targets()) {
      const fs::path folder = fs::path(argv[2]) / target.name;
      fs::create_directories(folder);
      std::size_t number = 0;
      for (const std::string& seed : target.seeds != nullptr ? target.seeds() : std::vector<std::string>()) {
        std::ofstream(folder / ("seed" + std::to_string(number++)), std::ios::binary) << seed;
      }
    }
    return 0;
  }
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: fuzz_replay CORPORA [MUTATIONS [TARGET]] | --write CORPORA\n");
    return 2;
  }
  const unsigned long mutations = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 0;
  for (const Target& target : thimble::fuzz::Targets()) {
    if (argc > 3 && std::strcmp(argv[3], target.name) != 0) continue;
    const std::vector<std::string> inputs = Inputs(argv[1], target);
    if (inputs.empty()) {
      std::fprintf(stderr, "fuzz_replay: %s has no inputs in %s\n", target.name, argv[1]);
      return 1;
    }
    for (const std::string& input : inputs) target.run(input);
    const auto mutate = target.mutate != nullptr ? target.mutate : thimble::fuzz::MutateBytes;
    for (unsigned long i = 0; i < mutations; ++i) {
      const auto number = static_cast<std::uint32_t>(i);
      const std::string& input = inputs[i % inputs.size()];
      // A crash of the last one is found by its number.
      if (std::getenv("THIMBLE_FUZZ_VERBOSE") != nullptr) std::fprintf(stderr, "%s %u\n", target.name, number);
      target.run(mutate(input, number));
    }
    std::printf("%-12s %4zu inputs, %lu mutations\n", target.name, inputs.size(), mutations);
    std::fflush(stdout);
  }
  return 0;
}
