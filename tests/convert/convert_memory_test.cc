// Converting takes the memory of about one layer and of the texts of the receipt, however large the model.

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "format/dtypes.h"
#include "tests/support/test_model.h"
#include "thimble/convert.h"

// Sanitizers take memory of their own, so with them there is nothing to measure.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace thimble::convert {
namespace {

using format::Dtype;

// A number of kB from /proc/self/status, in bytes; 0 where there is none.
std::size_t StatusBytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key + ":")) return std::stoul(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

// Runs `work` in a child, so that the peak is that of `work` alone; the most private bytes that it had beyond what the
// child had before, looked at every half a millisecond, or 0 when it failed. Mapped files do not count.
std::size_t PeakBytes(const std::function<bool()>& work) {
  int ends[2];
  if (pipe(ends) != 0) return 0;
  pid_t child = fork();
  if (child == 0) {
    malloc_trim(0);  // Free memory of the parent's would be used without being seen.
    const std::size_t before = StatusBytes("RssAnon");
    std::size_t most = before;
    std::atomic<bool> done = false;
    std::thread sampler([&] {
      while (!done) {
        most = std::max(most, StatusBytes("RssAnon"));
        std::this_thread::sleep_for(std::chrono::microseconds(500));
      }
    });
    const bool good = work();
    done = true;
    sampler.join();
    const std::size_t peak = good ? most - before : 0;
    _exit(write(ends[1], &peak, sizeof peak) == sizeof peak ? 0 : 1);
  }
  close(ends[1]);
  std::size_t peak = 0;
  const bool told = read(ends[0], &peak, sizeof peak) == sizeof peak;
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return told ? peak : 0;
}

// 12 layers of 3.1 MB each.
test::TestModelOptions DeepModel() {
  test::TestModelOptions options;
  options.hidden = 256;
  options.heads = 4;
  options.intermediate = 1024;
  options.layers = 12;
  return options;
}

// One layer of all-MiniLM-L6-v2, with positions for texts as long.
test::TestModelOptions LayerOfMiniLm() {
  test::TestModelOptions options;
  options.hidden = 384;
  options.heads = 12;
  options.intermediate = 1536;
  options.layers = 1;
  options.positions = 512;
  options.max_seq_length = 256;
  return options;
}

TEST(Convert, TakesTheMemoryOfAboutOneLayer) {
  test::TemporaryFolder folder;
  // Made in a child too, whose memory is gone when the conversion starts.
  const std::size_t writing = PeakBytes([&] { return test::WriteTestModel(folder.path(), DeepModel()).ok(); });
  const std::size_t model_bytes = std::filesystem::file_size(folder.File("model.safetensors"));
  EXPECT_GT(writing, model_bytes) << "the measure misses a whole model in memory";
  const std::size_t layer_bytes = std::size_t{4} * 256 * 1024 * 3;
  // The activations of all texts of the receipt, of a chunk of them in the feed-forward network, and a few tensors.
  const std::size_t texts_bytes = std::size_t{120} * 64 * 256 * 4 + std::size_t{512} * (1024 + 4 * 256) * 4;
  // The writer's buffer, the tokenizer's tables while they are compiled, and the code that is touched.
  const std::size_t slack_bytes = 6 << 20;
  ASSERT_GT(model_bytes, layer_bytes + texts_bytes + slack_bytes);
  for (Dtype dtype : {Dtype::kFp32, Dtype::kFp16, Dtype::kQ8, Dtype::kQ6, Dtype::kQ4, Dtype::kQ4Small}) {
    const std::size_t peak = PeakBytes([&] {
      ConvertOptions options;
      options.dtype = DtypeName(dtype);
      options.calibrate = false;
      return ConvertModel(folder.path(), folder.File("out"), options).ok();
    });
    RecordProperty(std::string(DtypeName(dtype)) + "_peak_bytes", static_cast<int>(peak));
    EXPECT_GT(peak, 0u) << DtypeName(dtype);
    EXPECT_LT(peak, layer_bytes + texts_bytes + slack_bytes) << DtypeName(dtype);
  }
}

TEST(Convert, TakesAtMost100MegabytesForMiniLmWithCalibration) {
  test::TemporaryFolder folder;
  ASSERT_GT(PeakBytes([&] { return test::WriteTestModel(folder.path(), LayerOfMiniLm()).ok(); }), 0u);
  // More text than is used, so that the limit on tokens is what bounds the memory.
  std::string texts;
  for (int i = 0; i < 3000; ++i) texts += "the cat is playing in the sun and the dog is running\n";
  ASSERT_TRUE(test::WriteFile(folder.File("texts"), texts).ok());
  for (Dtype dtype : {Dtype::kQ8, Dtype::kQ4}) {
    const std::size_t peak = PeakBytes([&] {
      ConvertOptions options;
      options.dtype = DtypeName(dtype);
      options.calibration_file = folder.File("texts");
      options.threads = 2;
      return ConvertModel(folder.path(), folder.File("out"), options).ok();
    });
    RecordProperty(std::string(DtypeName(dtype)) + "_peak_bytes", static_cast<int>(peak));
    // The moments of the widest inputs, 1536 x 1536 floats, and their factor in double precision are part of it.
    EXPECT_GT(peak, std::size_t{1536} * 1536 * 12) << DtypeName(dtype);
    EXPECT_LT(peak, 100'000'000u) << DtypeName(dtype);
  }
}

}  // namespace
}  // namespace thimble::convert

#endif  // No sanitizer.
