// What the fuzz targets share. Each target is one function from bytes to nothing that must not crash, hang or leak, and
// aborts where a result is not what it must be.

#ifndef THIMBLE_TESTS_FUZZ_FUZZ_H_
#define THIMBLE_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace thimble::fuzz {

// One target: what it does with an input, and where its own form of mutation is needed, that.
struct Target {
  const char* name;
  void (*run)(std::string_view input);
  // Makes another input from one; null means any change of bytes. The checks of formats stop most of those.
  std::string (*mutate)(std::string_view input, std::uint32_t seed);
  // Inputs to begin with beside those of tests/fuzz/corpus/NAME, too large to keep; null for none.
  std::vector<std::string> (*seeds)();
};
std::span<const Target> Targets();

// Ends the program with a message where `held` is false.
void Check(bool held, const char* what);

// A file in memory of these bytes, which open() takes by path().
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  int file_;
  std::string path_;
};

// A folder in memory, emptied by its destructor.
class MemoryFolder {
 public:
  MemoryFolder();
  ~MemoryFolder();
  MemoryFolder(const MemoryFolder&) = delete;
  MemoryFolder& operator=(const MemoryFolder&) = delete;
  const std::string& path() const { return path_; }
  void Write(const std::string& name, std::string_view bytes);

 private:
  std::string path_;
};

// Several files in one input, each as a line "=== NAME" and then its bytes.
std::vector<std::pair<std::string, std::string>> SplitFiles(std::string_view input);
// The same the other way.
std::string JoinFiles(const std::vector<std::pair<std::string, std::string>>& files);

// Changes a few bytes, a number in decimal, or a run of them.
std::string MutateBytes(std::string_view input, std::uint32_t seed);
// Changes the JSON header of a safetensors file and keeps its length right, or a few bytes behind it.
std::string MutateSafetensors(std::string_view input, std::uint32_t seed);

// A small model, its source and its q8 file, made once.
const std::string& SourceFolder();
const std::string& ModelBytes();

void RunModel(std::string_view input);
void RunSafetensors(std::string_view input);
void RunTokenizer(std::string_view input);
void RunTokens(std::string_view input);
void RunConfig(std::string_view input);
void RunOnnx(std::string_view input);
void RunTorch(std::string_view input);
void RunHub(std::string_view input);
void RunLines(std::string_view input);
void RunServer(std::string_view input);
void RunReplies(std::string_view input);
void RunKernels(std::string_view input);
std::vector<std::string> ModelSeeds();
std::vector<std::string> SafetensorsSeeds();
std::vector<std::string> TokenizerSeeds();
std::vector<std::string> ConfigSeeds();
std::vector<std::string> OnnxSeeds();
std::vector<std::string> TorchSeeds();

}  // namespace thimble::fuzz

#endif  // THIMBLE_TESTS_FUZZ_FUZZ_H_
