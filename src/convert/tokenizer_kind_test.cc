// A second, tiny kind of tokenizer behind the seam of text/kind.h: what is built on the stream of tokens, and a model
// file, need to know no kind.

#include "convert/tokenizer_kind.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "convert/tokenizer_tensors.h"
#include "tests/support/test_model.h"
#include "text/token_list.h"
#include "text/windows.h"

namespace thimble::convert {
namespace {

using Ids = std::vector<std::int32_t>;
using text::TextReader;

constexpr std::size_t kVocabulary = 200;
constexpr std::size_t kRun = 3;  // A longer word has several runs.

// Each character is a token, and spaces part words.
struct Letters final : text::Kind {
  class Stream final : public text::TokenStream {
   public:
    Stream(const Letters& kind, const TextReader& text, text::TokenRanges* ranges)
        : kind_(kind), size_(text.left()), text_(text), ranges_(ranges) {}

    bool Next(text::Run& run) override {
      for (;;) {
        TextReader behind = text_;
        const std::uint32_t next = behind.Next();
        const bool ends_word = next >= TextReader::kEnd || next == ' ';
        if (run.size > 0 && (ends_word || run.size == kRun)) {
          run.ends_word = ends_word;
          return true;
        }
        if (next == TextReader::kEnd) return false;
        const std::size_t begin = size_ - text_.left();
        text_ = behind;
        if (next == ' ') continue;
        if (ranges_ != nullptr) ranges_->tokens[run.size] = {begin, size_ - text_.left()};
        if (next > TextReader::kEnd) {
          run.ids[run.size++] = kind_.added.Id(next - TextReader::kFirstAdded);
          run.ends_word = true;
          return true;
        }
        run.ids[run.size++] = next < 0x80 && kind_.scores[next] > 0 ? next : kind_.unknown;
      }
    }

    bool AtEnd() override {
      TextReader ahead = text_;
      std::uint32_t next;
      do {
        next = ahead.Next();
      } while (next == ' ');
      return next == TextReader::kEnd;
    }

   private:
    const Letters& kind_;
    const std::size_t size_;
    TextReader text_;
    text::TokenRanges* const ranges_;
  };

  std::string_view name() const override { return "Letters"; }
  Status Check(std::size_t vocabulary) override {
    THIMBLE_RETURN_IF_ERROR(text::CheckLength("scores", scores.size(), 0x80));
    return text::CheckIds("unknown_id", {&unknown, 1}, vocabulary);
  }
  text::TokenStream* Start(const TextReader& text, text::TokenRanges* ranges,
                           text::StreamMemory& memory) const override {
    return memory.Make<Stream>(*this, text, ranges);
  }
  void FindEntries(std::unordered_map<std::uint32_t, std::string>& entries) const override {
    for (auto& [id, entry] : entries) {
      if (id < 0x80) entry.assign(1, static_cast<char>(id));
    }
  }
  std::optional<std::uint32_t> FindId(std::string_view entry) const override {
    if (entry.size() != 1) return std::nullopt;
    return static_cast<std::uint8_t>(entry[0]);
  }
  std::optional<std::uint32_t> unknown_id() const override { return unknown; }
  void AddTo(text::Fields& fields) override {
    fields.insert(fields.end(), {{"scores", &scores}, {"unknown_id", &unknown}});
    added.AddTo(fields);
    around.AddTo(fields);
  }

  text::TableSpan<float> scores;  // Of a letter, 0 for one that is unknown.
  std::uint32_t unknown = 0;
};

// Small letters; unknown 0; 150 before, 151 behind; the added token "<m>" is 160.
std::shared_ptr<Letters> MakeLetters(TableStore& store) {
  auto kind = std::make_shared<Letters>();
  std::vector<float> scores(0x80);
  for (char c = 'a'; c <= 'z'; ++c) scores[static_cast<std::size_t>(c)] = 0.5f;
  kind->scores = store.Keep(std::move(scores));
  kind->added.text = store.Keep(std::vector<std::uint8_t>{'<', 'm', '>'});
  kind->added.begin = store.Keep(std::vector<std::uint32_t>{0, 3});
  kind->added.ids = store.Keep(std::vector<std::uint32_t>{160});
  kind->added.count = kind->added.raw = 1;
  kind->around.prefix = store.Keep(std::vector<std::uint32_t>{150});
  kind->around.suffix = store.Keep(std::vector<std::uint32_t>{151});
  kind->around.prefix_count = kind->around.suffix_count = 1;
  return kind;
}

constexpr std::string_view kText = "ab abcdefgh <m>i X ";
const Ids kIds = {150, 'a', 'b', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 160, 'i', 0, 151};

class SecondKind : public testing::Test {
 protected:
  TableStore store_;
  std::shared_ptr<Letters> kind_ = MakeLetters(store_);
  text::Tokenizer tokenizer_ = *text::Tokenizer::Create(kind_, kVocabulary);
};

TEST_F(SecondKind, IsTruncatedAtEveryLengthOnEitherSide) {
  for (const std::uint32_t left : {0, 1}) {
    kind_->around.truncate_left = left;
    for (std::size_t limit = 3; limit < kIds.size() + 2; ++limit) {
      Ids ids(limit);
      const text::Encoded encoded = tokenizer_.Encode({}, kText, ids);
      ids.resize(encoded.tokens);
      Ids expected = kIds;
      if (limit < kIds.size() && left != 0) expected.erase(expected.begin() + 1, expected.end() - (limit - 1));
      if (limit < kIds.size() && left == 0) expected.erase(expected.begin() + (limit - 1), expected.end() - 1);
      EXPECT_EQ(ids, expected) << limit;
      EXPECT_EQ(encoded.truncated, limit < kIds.size()) << limit;
    }
  }
  EXPECT_EQ(tokenizer_.Count("ab ", "c"), 5u);
}

TEST_F(SecondKind, SaysOfEachTokenWhetherItBeginsAWordAndWhereItIs) {
  text::TokenRanges places;
  text::TokenReader reader(tokenizer_, kText.substr(0, 5), kText.substr(5), &places);
  std::vector<std::uint8_t> begins(20);
  std::vector<ByteRange> ranges(20);
  Ids ids(20);
  ASSERT_EQ(reader.Read(std::span(ids).first(4), begins.data(), ranges.data()), 4u);
  EXPECT_FALSE(reader.AtWord());
  EXPECT_FALSE(reader.AtEnd());
  const std::size_t rest = reader.Read(std::span(ids).subspan(4), &begins[4], &ranges[4]);
  EXPECT_TRUE(reader.AtEnd());
  ASSERT_EQ(rest, kIds.size() - 2 - 4);
  for (std::size_t i = 0; i < kIds.size() - 2; ++i) {
    const ByteRange range = ranges[i];
    const std::string_view text = kText.substr(range.begin, range.end - range.begin);
    EXPECT_EQ(ids[i], kIds[i + 1]);
    EXPECT_EQ(text, ids[i] == 160 ? "<m>" : ids[i] == 0 ? "X" : std::string(1, static_cast<char>(ids[i])));
    EXPECT_EQ(begins[i] != 0, range.begin == 0 || kText[range.begin - 1] == ' ' || kText[range.begin - 1] == '>') << i;
  }
}

TEST_F(SecondKind, HasWindowsThatEndBetweenWordsOfSeveralRuns) {
  base::Mapping memory = *base::Mapping::Create(4096);
  base::Arena arena(memory.bytes());
  text::WindowShape shape(tokenizer_, 11, arena);
  ASSERT_TRUE(shape.SetPrompt("p"));
  text::Windows windows(shape, kText, 2);
  std::vector<std::string> found;
  Ids ids(11);
  while (const std::size_t tokens = windows.Next(ids.data())) {
    std::string letters;
    for (std::size_t i = 1; i + 1 < tokens; ++i) letters += ids[i] < 128 ? static_cast<char>(ids[i]) : '#';
    found.push_back(letters);
  }
  // The prompt and the first word are one.
  std::string unknown(1, '\0');
  EXPECT_EQ(found, (std::vector<std::string>{"pab", "pabcdefgh", "p#i" + unknown}));
  EXPECT_EQ(windows.tokens(), kIds.size() + 1);
}

TEST_F(SecondKind, HasEntriesAndSpecialTokens) {
  EXPECT_EQ(text::EntriesOf(tokenizer_, Ids{'b', 160, 170}), (std::vector<std::string>{"b", "<m>", ""}));
  const SpecialIds special = text::SpecialIdsOf(tokenizer_);
  EXPECT_EQ(special.cls, 150);
  EXPECT_EQ(special.sep, 151);
  EXPECT_EQ(special.unk, 0);
  EXPECT_EQ(special.mask, std::nullopt);
  const Tokens list = text::ListTokens(tokenizer_, {}, kText, {.max_tokens = SIZE_MAX, .offsets = true});
  EXPECT_EQ(list.ids, kIds);
  EXPECT_EQ(list.offsets[11], (ByteRange{12, 15}));
}

TEST_F(SecondKind, IsKeptInAModelFileThatNamesIt) {
  const test::TemporaryFolder folder;
  const std::string path = folder.File("letters");
  format::Layout layout;
  DeclareTokenizer(*kind_, &layout);
  Result<format::Writer> writer = format::Writer::Create(path, layout);
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  ASSERT_TRUE(WriteTokenizer(*kind_, &*writer).ok());
  ASSERT_TRUE(writer->Finish().ok());

  const Result<format::Reader> reader = format::Reader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  const Result<text::Tokenizer> read = model::LoadTokenizer(*reader, std::make_shared<Letters>(), kVocabulary);
  ASSERT_TRUE(read.ok()) << read.status().message();
  Ids ids(kIds.size());
  EXPECT_EQ(read->Encode({}, kText, ids).tokens, kIds.size());
  EXPECT_EQ(ids, kIds);
  // A program without this kind says so, and one that takes it for another finds that tables are missing.
  const Result<text::Tokenizer> unknown = model::LoadTokenizer(*reader, kVocabulary);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), Code::kUnsupported);
  EXPECT_NE(unknown.status().message().find("the tokenizer \"Letters\""), std::string::npos);
  EXPECT_EQ(model::LoadTokenizer(*reader, text::MakeKind("WordPiece"), kVocabulary).status().code(), Code::kCorrupt);
  EXPECT_EQ(model::LoadTokenizer(*reader, std::make_shared<Letters>(), 160).status().code(), Code::kCorrupt);
}

}  // namespace
}  // namespace thimble::convert
