// A fault of a mapped file is a message and an exit code; any other stays what it was.

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "base/file_map.h"
#include "cli/process_start.h"
#include "tests/support/test_model.h"

namespace thimble::cli {
namespace {

// Without the handlers of sanitizers, which print pages of their own.
void HandleOnlyOurs() {
  std::signal(SIGBUS, SIG_DFL);
  std::signal(SIGSEGV, SIG_DFL);
  HandleFaults("embed");
}

class FaultHandler : public testing::Test {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    path_ = folder_.File("model");
    ASSERT_TRUE(test::WriteFile(path_, std::string(1 << 16, 'x')).ok());
  }
  test::TemporaryFolder folder_;
  std::string path_;
};

TEST_F(FaultHandler, ATruncatedFileIsNamed) {
  EXPECT_EXIT(
      {
        HandleOnlyOurs();
        auto map = base::FileMap::Open(path_);
        std::filesystem::resize_file(path_, 100);
        volatile char byte = static_cast<char>(map->bytes()[1 << 15]);
        (void)byte;
      },
      testing::ExitedWithCode(1),
      "thimble embed: .*/model: was changed while it was open: had 65536 bytes, has 100; run the command again");
}

// What a program does with bytes that others wrote ends anywhere.
TEST_F(FaultHandler, AFaultElsewhereNamesAFileThatWasWrittenTo) {
  EXPECT_EXIT(
      {
        HandleOnlyOurs();
        auto map = base::FileMap::Open(path_);
        EXPECT_TRUE(test::WriteFile(path_, std::string(1 << 17, 'y')).ok());
        *reinterpret_cast<volatile int*>(8) = 1;
      },
      testing::ExitedWithCode(1), "was changed while it was open: had 65536 bytes, has 131072");
}

TEST_F(FaultHandler, OtherFaultsStayWhatTheyWere) {
  EXPECT_EXIT(
      {
        HandleOnlyOurs();
        auto map = base::FileMap::Open(path_);
        *reinterpret_cast<volatile int*>(8) = 1;
      },
      testing::KilledBySignal(SIGSEGV), "^$");
  EXPECT_EXIT(
      {
        HandleOnlyOurs();
        {
          auto map = base::FileMap::Open(path_);
        }
        EXPECT_TRUE(test::WriteFile(path_, "y").ok());
        kill(getpid(), SIGBUS);
        for (;;) pause();
      },
      testing::KilledBySignal(SIGBUS), "^$");
}

}  // namespace
}  // namespace thimble::cli
