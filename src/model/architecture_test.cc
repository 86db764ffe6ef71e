// Tests of the rows that positions take.

#include "model/architecture.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace thimble::model {
namespace {

std::vector<std::uint32_t> Rows(std::optional<std::int32_t> pad_id, const std::vector<std::int32_t>& ids) {
  Architecture architecture;
  architecture.pad_id = pad_id;
  PositionRows rows(architecture);
  std::vector<std::uint32_t> found;
  for (std::int32_t id : ids) found.push_back(rows.Next(id));
  return found;
}

TEST(PositionRows, CountTokens) { EXPECT_EQ(Rows({}, {0, 7, 1, 1}), (std::vector<std::uint32_t>{0, 1, 2, 3})); }

TEST(PositionRows, PaddedCountTokensOtherThanThePadTokenFromOne) {
  EXPECT_EQ(Rows(1, {0, 7, 1, 1, 8, 1, 9}), (std::vector<std::uint32_t>{1, 2, 0, 0, 3, 0, 4}));
  EXPECT_EQ(Rows(0, {0, 0}), (std::vector<std::uint32_t>{0, 0}));
}

TEST(PositionRows, DefaultsOfChoicesAreNoPartOfAFingerprint) {
  EXPECT_TRUE(IsDefaultChoice("encoder.positions", "table"));
  EXPECT_FALSE(IsDefaultChoice("encoder.positions", "padded"));
  EXPECT_FALSE(IsDefaultChoice("encoder.pad_id", "1"));
}

}  // namespace
}  // namespace thimble::model
