// Tests of the sequences that rounding is fitted to, and of the texts that are compiled in.

#include "convert/calibration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include "convert/tokenizer_folder.h"
#include "json/json_file.h"
#include "tests/support/test_model.h"

namespace thimble::convert {
namespace {

class CalibrationTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(test::WriteTestModel(folder_.path()).ok());
    auto json = json::ReadFile(folder_.File("tokenizer.json"), json::kMaxTokenizerBytes);
    ASSERT_TRUE(json.ok());
    auto compiled = CompileTokenizer(*json, "tokenizer.json");
    ASSERT_TRUE(compiled.ok());
    compiled_ = std::move(*compiled);
  }

  Result<CalibrationSet> Make(std::size_t longest, const std::string& file = "") {
    auto tokenizer = text::Tokenizer::Create(compiled_.kind, compiled_.vocabulary);
    if (!tokenizer.ok()) return tokenizer.status();
    return MakeCalibration(*tokenizer, compiled_.vocabulary, longest, file);
  }

  test::TemporaryFolder folder_;
  CompiledTokenizer compiled_;
};

TEST_F(CalibrationTest, SequencesAreTheSameEveryTimeAndKeepSomeForTheCheck) {
  auto set = Make(128), again = Make(128);
  ASSERT_TRUE(set.ok() && again.ok());
  EXPECT_EQ(set->fit.ids, again->fit.ids);
  EXPECT_EQ(set->unseen.ids, again->unseen.ids);
  EXPECT_GT(set->unseen.ids.size(), 300u);
  EXPECT_GT(set->fit.ids.size(), 10 * set->unseen.ids.size());
  for (const Sequences* sequences : {&set->fit, &set->unseen}) {
    std::size_t begin = 0;
    for (std::size_t length : sequences->lengths) {
      ASSERT_GE(length, 3u);
      ASSERT_LE(length, 128u);
      EXPECT_EQ(sequences->ids[begin], 2);               // [CLS]
      EXPECT_EQ(sequences->ids[begin + length - 1], 3);  // [SEP]
      begin += length;
    }
    ASSERT_EQ(begin, sequences->ids.size());
    for (std::int32_t id : sequences->ids) ASSERT_LT(static_cast<std::size_t>(id), compiled_.vocabulary);
  }
}

TEST_F(CalibrationTest, AFileIsReadUpToItsLimits) {
  const std::size_t own = Make(64)->fit.ids.size();
  // Lines without an end, of zeros, and more of them than are read.
  std::string contents(3 << 20, '\0');
  contents += "\n" + std::string(100000, 'x') + "\n";
  while (contents.size() < kMaxFileBytes + 100000) contents += "the cat is running in the sun\n";
  ASSERT_TRUE(test::WriteFile(folder_.File("texts"), contents).ok());
  auto set = Make(64, folder_.File("texts"));
  ASSERT_TRUE(set.ok()) << set.status().message();
  EXPECT_LE(set->fit.ids.size() + set->unseen.ids.size(), own + kMaxTextTokens);
  EXPECT_GT(set->fit.ids.size() + set->unseen.ids.size(), kMaxTextTokens);
}

std::string Bare(std::string_view text) {
  std::string bare;
  for (char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0) {
      bare += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return bare;
}

TEST(BuiltInTexts, OfTheReceiptAreManyAndNoneIsOneOfCalibration) {
  std::set<std::string> calibration, receipt;
  for (std::string_view text : CalibrationTexts()) calibration.insert(Bare(text));
  for (std::string_view text : ReceiptTexts()) {
    EXPECT_TRUE(receipt.insert(Bare(text)).second) << text;
    EXPECT_FALSE(calibration.contains(Bare(text))) << text;
  }
  EXPECT_GE(receipt.size(), 100u);
  EXPECT_GE(calibration.size(), 100u);
}

}  // namespace
}  // namespace thimble::convert
