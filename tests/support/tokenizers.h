// What tests of several kinds of tokenizer share.

#ifndef THIMBLE_TESTS_TOKENIZERS_H_
#define THIMBLE_TESTS_TOKENIZERS_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "convert/table_store.h"
#include "text/kind.h"
#include "text/tokenizer.h"
#include "thimble/model.h"

namespace thimble::test {

inline std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// Whether all ids are below the size of the vocabulary, and all places are in the text.
inline void ExpectWithin(const Tokens& tokens, std::string_view text, std::size_t vocabulary) {
  for (const std::int32_t id : tokens.ids) {
    ASSERT_GE(id, 0);
    ASSERT_LT(static_cast<std::size_t>(id), vocabulary);
  }
  for (const ByteRange& range : tokens.offsets) {
    ASSERT_LE(range.begin, range.end);
    ASSERT_LE(range.end, text.size());
  }
}

// Changes a few bits of a table, or one bit of a number.
inline void Damage(const text::Fields& fields, std::mt19937& random, convert::TableStore& store) {
  const auto damage = [&](auto* value) {
    if constexpr (std::is_same_v<decltype(value), std::uint32_t*>) {
      *value ^= 1u << random() % (random() % 2 == 0 ? 32 : 2);
    } else if (!value->empty()) {
      std::vector array(value->begin(), value->end());
      auto* bytes = reinterpret_cast<std::uint8_t*>(array.data());
      std::size_t size = value->size_bytes();
      // Most arrays are padding for the most part.
      if (size > 64 && random() % 2 == 0) size = 64;
      for (std::size_t flips = 1 + random() % 3; flips > 0; --flips) {
        bytes[random() % size] ^= static_cast<std::uint8_t>(1u << random() % 8);
      }
      *value = store.Keep(std::move(array));
    }
  };
  std::visit(damage, fields[random() % fields.size()].value);
}

// Damages the tables of a kind again and again: they are refused by name, or check(tokenizer, random) is called with
// them. More than `least` times each.
template <typename Kind, typename Check>
void ForEachDamaged(const Kind& kind, std::size_t vocabulary, int rounds, int least, Check&& check) {
  std::mt19937 random(7);
  int refused = 0, accepted = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto damaged = std::make_shared<Kind>(kind);
    convert::TableStore store;
    Damage(damaged->ListFields(), random, store);
    if (round % 4 == 0) damaged->around.truncate_left ^= 1;
    const auto tokenizer = text::Tokenizer::Create(damaged, vocabulary);
    if (tokenizer.ok()) {
      ++accepted;
      check(*tokenizer, random);
      if (testing::Test::HasFatalFailure()) return;
      continue;
    }
    ++refused;
    EXPECT_EQ(tokenizer.status().code(), Code::kCorrupt);
    EXPECT_TRUE(tokenizer.status().message().starts_with("tokenizer.")) << tokenizer.status().message();
  }
  EXPECT_GT(refused, least);
  EXPECT_GT(accepted, least);
}

}  // namespace thimble::test

#endif  // THIMBLE_TESTS_TOKENIZERS_H_
