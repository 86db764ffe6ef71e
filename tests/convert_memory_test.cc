// Converting takes the memory of about one tensor, however large the model.

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "convert/convert.h"
#include "tests/test_model.h"

// Sanitizers take memory of their own, so with them there is nothing to measure.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace thimble::convert {
namespace {

// A number of kB from /proc/self/status, in bytes; 0 where there is none.
std::size_t StatusBytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::stoul(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

// Runs `work` in a child, so that the peak is that of `work` alone; the bytes it took beyond what the child had before,
// or 0 when it failed.
std::size_t PeakBytes(const std::function<bool()>& work) {
  int ends[2];
  if (pipe(ends) != 0) return 0;
  pid_t child = fork();
  if (child == 0) {
    malloc_trim(0);  // Free memory of the parent's would be used without being seen.
    const std::size_t before = StatusBytes("VmRSS");
    const bool done = work();
    const std::size_t peak = done ? StatusBytes("VmHWM") - std::min(before, StatusBytes("VmHWM")) : 0;
    _exit(write(ends[1], &peak, sizeof peak) == sizeof peak ? 0 : 1);
  }
  close(ends[1]);
  std::size_t peak = 0;
  const bool told = read(ends[0], &peak, sizeof peak) == sizeof peak;
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return told ? peak : 0;
}

// 12 layers of 3.1 MB each; the largest tensor has 1 MB.
test::TestModelOptions DeepModel() {
  test::TestModelOptions options;
  options.hidden = 256;
  options.heads = 4;
  options.intermediate = 1024;
  options.layers = 12;
  return options;
}

TEST(Convert, TakesTheMemoryOfAboutOneTensor) {
  test::TemporaryFolder folder;
  // Made in a child too, whose memory is gone when the conversion starts.
  const std::size_t writing = PeakBytes([&] { return test::WriteTestModel(folder.path(), DeepModel()).ok(); });
  const std::size_t model_bytes = std::filesystem::file_size(folder.File("model.safetensors"));
  EXPECT_GT(writing, model_bytes) << "the measure misses a whole model in memory";
  const std::size_t tensor_bytes = std::size_t{4} * 256 * 1024;
  // The writer's buffer, the tokenizer's tables while they are compiled, and the code that is touched.
  const std::size_t slack_bytes = 6 << 20;
  ASSERT_GT(model_bytes, 4 * (tensor_bytes + slack_bytes));
  for (Dtype dtype : {Dtype::kFp32, Dtype::kFp16, Dtype::kQ8, Dtype::kQ6, Dtype::kQ4, Dtype::kQ4Small}) {
    const std::size_t peak = PeakBytes([&] {
      Options options;
      options.dtype = dtype;
      return Convert(folder.path(), folder.File("out"), options).ok();
    });
    RecordProperty(std::string(DtypeName(dtype)) + "_peak_bytes", static_cast<int>(peak));
    EXPECT_GT(peak, 0u) << DtypeName(dtype);
    EXPECT_LT(peak, tensor_bytes + slack_bytes) << DtypeName(dtype);
  }
}

}  // namespace
}  // namespace thimble::convert

#endif  // No sanitizer.
