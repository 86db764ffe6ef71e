// Files and folders in memory, mutation, and the small model that targets share.

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/fuzz/fuzz.h"
#include "tests/support/test_model.h"

namespace thimble::fuzz {
namespace {

constexpr std::string_view kFileMark = "=== ";

const Target kTargets[] = {
    {"model", RunModel, MutateSafetensors, ModelSeeds},
    {"safetensors", RunSafetensors, MutateSafetensors, SafetensorsSeeds},
    {"tokenizer", RunTokenizer, nullptr, TokenizerSeeds},
    {"tokens", RunTokens, nullptr, nullptr},
    {"config", RunConfig, nullptr, ConfigSeeds},
    {"onnx", RunOnnx, nullptr, nullptr},
    {"torch", RunTorch, nullptr, TorchSeeds},
    {"hub", RunHub, nullptr, nullptr},
    {"lines", RunLines, nullptr, nullptr},
#ifdef THIMBLE_FUZZ_SERVER
    {"server", RunServer, nullptr, nullptr},
#endif
    {"replies", RunReplies, nullptr, nullptr},
    {"kernels", RunKernels, nullptr, nullptr},
};

// What the folder of a small model holds, and the model file made of it.
struct SmallModel {
  SmallModel() {
    test::TestModelOptions options;
    options.layers = 1;
    options.positions = 64;
    options.max_seq_length = 32;
    const Result<std::string> made = test::ConvertTestModel(folder.path(), format::Dtype::kQ8, options);
    Check(made.ok(), "the test model is made");
    bytes = test::ReadFile(*made);
    source = folder.path() + "/test-model";
  }
  MemoryFolder folder;
  std::string source, bytes;
};

const SmallModel& TheModel() {
  static const SmallModel model;
  return model;
}

}  // namespace

std::span<const Target> Targets() { return kTargets; }
const std::string& SourceFolder() { return TheModel().source; }
const std::string& ModelBytes() { return TheModel().bytes; }

void Check(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "fuzz: this does not hold: %s\n", what);
  std::abort();
}

MemoryFile::MemoryFile(std::string_view bytes) : file_(memfd_create("fuzz", MFD_CLOEXEC)) {
  Check(file_ >= 0, "memfd_create");
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = write(file_, bytes.data() + done, bytes.size() - done);
    Check(count > 0, "write to memory");
    done += static_cast<std::size_t>(count);
  }
  path_ = "/proc/self/fd/" + std::to_string(file_);
}
MemoryFile::~MemoryFile() { close(file_); }

MemoryFolder::MemoryFolder() {
  std::string pattern = access("/dev/shm", W_OK) == 0 ? "/dev/shm/thimble-fuzz-XXXXXX" : "/tmp/thimble-fuzz-XXXXXX";
  Check(mkdtemp(pattern.data()) != nullptr, "mkdtemp");
  path_ = pattern;
}
MemoryFolder::~MemoryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}
void MemoryFolder::Write(const std::string& name, std::string_view bytes) {
  const std::string path = path_ + "/" + name;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::vector<std::pair<std::string, std::string>> SplitFiles(std::string_view input) {
  std::vector<std::pair<std::string, std::string>> files;
  for (std::size_t at = 0; at < input.size();) {
    std::size_t end = input.find("\n=== ", at);
    std::string_view piece = input.substr(at, end == std::string_view::npos ? end : end - at);
    at = end == std::string_view::npos ? input.size() : end + 1;
    const std::size_t line = piece.find('\n');
    if (!piece.starts_with(kFileMark) || line == std::string_view::npos) continue;
    files.emplace_back(piece.substr(kFileMark.size(), line - kFileMark.size()), piece.substr(line + 1));
  }
  return files;
}

std::string JoinFiles(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string joined;
  for (const auto& [name, bytes] : files) {
    if (!joined.empty()) joined += '\n';
    joined.append(kFileMark).append(name).append("\n").append(bytes);
  }
  return joined;
}

std::string MutateBytes(std::string_view input, std::uint32_t seed) {
  std::minstd_rand random(seed * 2 + 1);
  const auto below = [&](std::size_t limit) { return limit == 0 ? 0 : static_cast<std::size_t>(random()) % limit; };
  static constexpr std::string_view kParts[] = {"-1",
                                                "0",
                                                "99999999999999999999",
                                                "1e999",
                                                "null",
                                                "[]",
                                                "{}",
                                                "\"\"",
                                                "\xff\xfe",
                                                "[[[[[[[[",
                                                "\\ud800",
                                                "NaN",
                                                ",",
                                                "/../",
                                                std::string_view("\0", 1),
                                                "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"};
  std::string bytes(input);
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t at = below(bytes.size() + 1);
    switch (below(6)) {
      case 0:
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random());
        break;
      case 2:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
        break;
      case 3:
        bytes.erase(at, below(16));
        break;
      case 4:
        bytes.insert(at, kParts[below(std::size(kParts))]);
        break;
      case 5: {
        const std::string piece = bytes.substr(below(bytes.size() + 1), below(64));
        bytes.insert(at, piece);
        break;
      }
    }
  }
  if (below(16) == 0) bytes.resize(below(bytes.size() + 1));
  return bytes;
}

std::string MutateSafetensors(std::string_view input, std::uint32_t seed) {
  std::uint64_t length = 0;
  if (input.size() < 8) return MutateBytes(input, seed);
  std::memcpy(&length, input.data(), 8);
  if (length > input.size() - 8 || seed % 8 == 0) return MutateBytes(input, seed / 8);
  std::string_view header = input.substr(8, length), data = input.substr(8 + length);
  if (seed % 8 < 6) {
    std::string text = MutateBytes(header, seed / 8);
    // Padding is what keeps the data on a cache line.
    while (text.ends_with(' ')) text.pop_back();
    text.resize((text.size() + 8 + 63) / 64 * 64 - 8, ' ');
    std::uint64_t size = text.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &size, 8);
    return bytes.append(text).append(data);
  }
  // Bytes of the tensors, whose number stays.
  std::minstd_rand random(seed + 1);
  std::string bytes(input);
  for (std::size_t count = 1 + random() % 8; count > 0 && !data.empty(); --count) {
    bytes[8 + length + random() % data.size()] = static_cast<char>(random());
  }
  return bytes;
}

}  // namespace thimble::fuzz
