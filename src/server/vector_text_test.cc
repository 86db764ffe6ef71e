// Encodings of vectors.

#include "server/vector_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace thimble::server {
namespace {

constexpr CodeRange kRange = {-1.285f, 1.265f};  // A step is 0.01.

std::string Text(std::vector<float> vector, Encoding encoding, bool packed = false) {
  std::string out;
  EXPECT_TRUE(AppendVector(vector, encoding, packed, kRange, out));
  EXPECT_LE(out.size(), VectorTextBytes(vector.size(), encoding));
  return out;
}

TEST(VectorText, FloatsAreTheShortestThatReadBackTheSame) {
  EXPECT_EQ(Text({0.1f, -0.25f, 1.0f}, Encoding::kFloat), "[0.1,-0.25,1]");
  EXPECT_EQ(Text({std::numeric_limits<float>::lowest(), 1.17549435e-38f}, Encoding::kFloat),
            "[-3.4028235e+38,1.1754944e-38]");
}

TEST(VectorText, Base64IsLittleEndian) { EXPECT_EQ(Text({1.0f}, Encoding::kBase64), "\"AACAPw==\""); }

TEST(VectorText, IntegersAreTheCodesOfTheRange) {
  EXPECT_EQ(Text({0.5f, -0.25f, 0.0f, 9.0f}, Encoding::kInt8), "[50,-25,0,127]");
  EXPECT_EQ(Text({0.5f, -0.5f, 0.0f, -9.0f}, Encoding::kUint8), "[178,78,128,0]");
  std::string out;
  EXPECT_FALSE(AppendVector(std::vector<float>{1}, Encoding::kInt8, false, {}, out)) << "A model without a range.";
}

TEST(VectorText, BitsAreThoseAboveZeroHighestFirst) {
  const std::vector<float> vector = {1, -1, 1, 0, 0, 0, 0, 1, 1};
  EXPECT_EQ(Text(vector, Encoding::kUbinary), "[161,128]");
  EXPECT_EQ(Text(vector, Encoding::kBinary), "[33,0]");
  EXPECT_EQ(Text(vector, Encoding::kUbinary, true), "\"oYA=\"");
}

TEST(VectorText, RefusesWhatIsNotFinite) {
  std::string out;
  EXPECT_FALSE(AppendVector(std::vector<float>{1, std::nanf("")}, Encoding::kFloat, false, kRange, out));
  EXPECT_FALSE(AppendVector(std::vector<float>{INFINITY}, Encoding::kInt8, false, kRange, out));
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace thimble::server
