// What holds for chunks of any text: they cover it, fit the model, and stay where an edit is not.

#include "sync/chunks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "sync/folder.h"

namespace thimble::sync {
namespace {

// A token for each four bytes, and two special ones: monotonic, as those of a model nearly are.
ChunkLimits Limits(std::size_t max_tokens) {
  return {.max_tokens = max_tokens, .radius = max_tokens, .count_tokens = [](std::string_view text) {
            return Result<std::size_t>(text.size() / 4 + 2);
          }};
}

std::vector<Chunk> Cut(std::string_view document, Format format, std::size_t max_tokens = 64) {
  std::vector<Chunk> chunks;
  EXPECT_TRUE(CutChunks(document, format, Limits(max_tokens), [&](Chunk chunk) {
                chunks.push_back(std::move(chunk));
                return Status();
              }).ok());
  return chunks;
}

// The levels and titles of headings.
std::string Titles(std::string_view document, Format format) {
  std::string all;
  EXPECT_TRUE(FindHeadings(document, format, [&](const Heading& heading) {
                all += std::to_string(heading.level) + heading.title + ";";
                return Status();
              }).ok());
  return all;
}

std::string TextOf(std::string_view document, const Chunk& chunk) {
  return std::string(document.substr(chunk.begin, chunk.end - chunk.begin));
}

class RandomText {
 public:
  explicit RandomText(unsigned seed) : random_(seed) {}
  std::size_t Below(std::size_t n) { return random_() % n; }
  std::string Sentence() {
    std::string sentence;
    for (std::size_t words = 1 + Below(20); words > 0; --words) {
      if (Below(40) == 0) {
        sentence += "\xe6\x96\x87\xe5\xad\x97\xe3\x80\x82";
        continue;
      }
      const std::size_t letters = Below(60) == 0 ? 1 + Below(300) : 1 + Below(9);
      for (std::size_t i = 0; i < letters; ++i) sentence += static_cast<char>('a' + Below(26));
      sentence += words > 1 ? (Below(12) == 0 ? "\n" : " ") : ". ";
    }
    return sentence;
  }
  std::string Document(std::size_t sentences, bool headings) {
    std::string document;
    for (std::size_t i = 0; i < sentences; ++i) {
      document += Sentence();
      if (Below(6) == 0) document += "\n\n";
      if (headings && Below(15) == 0) document += "\n\n# Heading " + std::to_string(Below(1000)) + "\n\n";
    }
    return document;
  }

 private:
  std::mt19937 random_;
};

TEST(Chunks, CoverEveryByteButWhiteSpaceAndFit) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    RandomText random(seed);
    const std::string document = random.Document(1 + random.Below(120), seed % 2 == 0);
    const std::vector<Chunk> chunks = Cut(document, Format::kMarkdown);
    std::size_t at = 0;
    for (const Chunk& chunk : chunks) {
      ASSERT_LE(at, chunk.begin);
      ASSERT_LT(chunk.begin, chunk.end);
      ASSERT_EQ(document.substr(at, chunk.begin - at).find_first_not_of(" \n"), std::string::npos);
      const std::string text = TextOf(document, chunk);
      EXPECT_LE(*Limits(64).count_tokens(text), 64u);
      EXPECT_EQ(WhyNoText(text), "");  // No character is divided.
      EXPECT_EQ(chunk.first_line, 1 + std::count(document.begin(), document.begin() + chunk.begin, '\n'));
      EXPECT_EQ(chunk.last_line, 1 + std::count(document.begin(), document.begin() + chunk.end, '\n'));
      at = chunk.end;
    }
    EXPECT_EQ(document.substr(at).find_first_not_of(" \n"), std::string::npos);
  }
}

// An edit changes no chunk that is further away than the places that it can outrank, and a place's context.
TEST(Chunks, StayWhereTheEditIsNot) {
  constexpr std::size_t kReach = 2 * 64 + 2 * 32 + 64;
  std::size_t kept = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    RandomText random(seed);
    const std::string document = random.Document(200, seed % 2 == 0);
    const std::size_t at = random.Below(document.size()), removed = std::min(random.Below(80), document.size() - at);
    const std::string added = random.Below(3) == 0 ? "" : random.Sentence();
    std::string edited = document;
    edited.replace(at, removed, added);
    std::multiset<std::string> after;
    for (const Chunk& chunk : Cut(edited, Format::kMarkdown)) after.insert(TextOf(edited, chunk));
    for (const Chunk& chunk : Cut(document, Format::kMarkdown)) {
      if (chunk.end + kReach > at && chunk.begin < at + removed + kReach) continue;
      const auto found = after.find(TextOf(document, chunk));
      ASSERT_NE(found, after.end()) << "seed " << seed << ", edit at " << at << ", chunk at " << chunk.begin;
      after.erase(found);
      ++kept;
    }
  }
  EXPECT_GT(kept, 10'000u);
}

TEST(Chunks, OfASectionHaveAboutHalfOfTheLimit) {
  RandomText random(7);
  const std::string document = random.Document(3000, false);
  const std::vector<Chunk> chunks = Cut(document, Format::kPlain, 256);
  const double mean = static_cast<double>(document.size()) / static_cast<double>(chunks.size());
  EXPECT_GT(mean, 1.5 * 256);
  EXPECT_LT(mean, 3.0 * 256);
}

TEST(Chunks, AreTheSameEachTime) {
  const std::string document = RandomText(3).Document(100, true);
  const auto first = Cut(document, Format::kMarkdown), second = Cut(document, Format::kMarkdown);
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(TextOf(document, first[i]), TextOf(document, second[i]));
}

TEST(Chunks, OfTextWithoutPlacesFitToo) {
  for (const std::string& document :
       {std::string(100'000, 'x'), std::string("\xf0\x9f\x98\x80") + std::string(5000, 'y'), std::string(20'000, '\n'),
        std::string()}) {
    for (const Chunk& chunk : Cut(document, Format::kPlain)) EXPECT_LE(chunk.end - chunk.begin, 4 * 64u);
  }
  std::string faces;
  for (int i = 0; i < 500; ++i) faces += "\xf0\x9f\x98\x80";
  for (const Chunk& chunk : Cut(faces, Format::kPlain)) EXPECT_EQ((chunk.end - chunk.begin) % 4, 0u);
  EXPECT_TRUE(Cut(" \n\t ", Format::kPlain).empty());
  // A limit that no character fits ends all the same.
  EXPECT_EQ(Cut(faces.substr(0, 40), Format::kPlain, 1).size(), 10u);
}

TEST(Chunks, BeginAtHeadingsAndKnowThem) {
  const std::string document =
      "Before.\n# One\n## Two\n\nText of two.\n\nThree\n-----\nText of three.\n# Four #\n```\n# no heading\n```\n";
  const auto chunks = Cut(document, Format::kMarkdown);
  ASSERT_EQ(chunks.size(), 4u);
  EXPECT_EQ(chunks[0].heading, "");
  EXPECT_EQ(chunks[1].heading, "One\nTwo");
  EXPECT_EQ(TextOf(document, chunks[1]), "# One\n## Two\n\nText of two.");
  EXPECT_EQ(chunks[1].first_line, 2u);
  EXPECT_EQ(chunks[1].last_line, 5u);
  EXPECT_EQ(chunks[2].heading, "One\nThree");
  EXPECT_EQ(chunks[3].heading, "Four");
}

TEST(Headings, OfMarkdown) {
  const auto titles = [](std::string_view document) { return Titles(document, Format::kMarkdown); };
  EXPECT_EQ(titles("---\ntitle: x\n---\n# A\r\n###### B ##\n####### no\n#no\n"), "1A;6B;");
  EXPECT_EQ(titles("Title\n===\ntwo\nlines\n---\n- item\n---\n\n---\n"), "1Title;");
  EXPECT_EQ(titles("~~~~\n# no\n~~~\n# no\n~~~~\n# yes"), "1yes;");
  EXPECT_EQ(titles("    # code\n#\ttab"), "1tab;");
}

TEST(Headings, OfReStructuredText) {
  EXPECT_EQ(
      Titles("====\nBook\n====\n\nPart\n----\n\ntext\n\nPoint\n~~~~~\n\nNext\n----\n\nNot...\n..\n", Format::kRst),
      "1Book;2Part;3Point;2Next;");
  EXPECT_EQ(Titles("# no\nTitle\n---\n", Format::kPlain), "");
}

TEST(Documents, AreTextInUtf8) {
  EXPECT_EQ(WhyNoText("plain \xc3\xa9 \xef\xbf\xbd"), "");
  EXPECT_EQ(WhyNoText(std::string_view("a\0b", 3)), "binary");
  EXPECT_EQ(WhyNoText(std::string_view("\xff\xfe"
                                       "a\0",
                                       4)),
            "UTF-16; save it as UTF-8");
  EXPECT_EQ(WhyNoText("caf\xe9"), "not UTF-8 at byte 3; save it as UTF-8");
}

}  // namespace
}  // namespace thimble::sync
