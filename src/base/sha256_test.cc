// SHA-256 against the vectors that NIST publishes.

#include "base/sha256.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>

namespace thimble::base {
namespace {

std::string HashOf(std::string_view text) {
  Sha256 hash;
  hash.Update(text);
  return hash.Hex();
}

constexpr std::string_view kTwoBlocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
constexpr std::string_view kTwoBlocksHash = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";

TEST(Sha256, GivesTheVectorsOfNist) {
  EXPECT_EQ(HashOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HashOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HashOf(kTwoBlocks), kTwoBlocksHash);
  EXPECT_EQ(HashOf(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnThePieces) {
  const std::string text(300, 'x');
  const std::string expected = HashOf(text);
  for (std::size_t piece : {1u, 7u, 55u, 56u, 63u, 64u, 65u, 128u, 299u}) {
    Sha256 hash;
    for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size()))) {
      hash.Update(rest.substr(0, piece));
    }
    EXPECT_EQ(hash.Hex(), expected) << piece;
  }
}

TEST(Sha256, OfAFileIsThatOfItsBytes) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("thimble-sha256-" + std::to_string(std::random_device()()));
  const std::string padded = "xy" + std::string(kTwoBlocks) + "z";
  std::ofstream(path, std::ios::binary) << padded;
  auto file = RegularFile::Open(path);
  std::remove(path.c_str());
  ASSERT_TRUE(file.ok());
  auto hash = Sha256OfFile(*file, 2, padded.size() - 1);
  ASSERT_TRUE(hash.ok());
  EXPECT_EQ(*hash, kTwoBlocksHash);
  EXPECT_FALSE(Sha256OfFile(*file, 0, padded.size() + 1).ok());
}

}  // namespace
}  // namespace thimble::base
