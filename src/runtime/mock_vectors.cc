// Vectors without a model.

#include "runtime/mock_vectors.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "text/utf8.h"

namespace thimble::runtime {
namespace {

using text::DecodeUtf8;

// Features of one token in the vector.
constexpr int kFeaturesOfWord = 4;
constexpr int kFeaturesOfTrigram = 2;
// Stands before and behind the characters of a word; no character has this value.
constexpr std::uint32_t kBoundary = 0x110000;
constexpr std::uint64_t kFirstToken = 1, kLastToken = 2;  // Seeds of the special tokens.

// A bijection of 64 bits in which every bit of the input changes about half of those of the output: multiplications by
// odd numbers (the first the golden ratio) between shifts.
std::uint64_t Mix(std::uint64_t value) {
  value *= 0x9E3779B97F4A7C15;
  value ^= value >> 32;
  value *= 0xD1B54A32D192ED03;
  value ^= value >> 29;
  value *= 0x9E3779B97F4A7C15;
  return value ^ value >> 32;
}

// Adds `count` features of +1 or -1 where `hash` says.
void AddFeatures(std::uint64_t hash, int count, std::span<float> vector) {
  for (int i = 0; i < count; ++i) {
    hash = Mix(hash + static_cast<std::uint64_t>(i));
    vector[(hash >> 8) % kMockDimensions] += (hash & 1) != 0 ? 1.0f : -1.0f;
  }
}

// The characters of one token, as they come by.
class TokenFeatures {
 public:
  TokenFeatures(std::uint64_t seed, std::span<float> vector) : seed_(seed), vector_(vector) {}

  void Add(std::uint32_t character) {
    word_ = Mix(word_ + character);
    Slide(character);
  }
  void End() {
    Slide(kBoundary);
    AddFeatures(Mix(seed_) ^ word_, kFeaturesOfWord, vector_);
    word_ = 0;
    before_last_ = last_ = 0;
  }

 private:
  void Slide(std::uint32_t character) {
    if (last_ == 0) last_ = kBoundary;
    if (before_last_ != 0) {
      const std::uint64_t trigram = std::uint64_t{before_last_} << 42 | std::uint64_t{last_} << 21 | character;
      AddFeatures(Mix(seed_ + 1) ^ Mix(trigram), kFeaturesOfTrigram, vector_);
    }
    before_last_ = last_;
    last_ = character;
  }

  const std::uint64_t seed_;
  const std::span<float> vector_;
  std::uint64_t word_ = 0;
  std::uint32_t before_last_ = 0, last_ = 0;
};

bool IsSpace(std::uint32_t c) { return c <= ' ' || c == 0x7F; }
bool IsWord(std::uint32_t c) {
  return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

std::size_t MockVector(std::string_view prompt, std::string_view text, std::span<float> vector) {
  double hash = 0;  // Exact: a sum of integers below 2^53.
  std::size_t units = 0;
  for (std::string_view part : {prompt, text}) {
    const auto* next = reinterpret_cast<const std::uint8_t*>(part.data());
    for (const auto* end = next + part.size(); next != end;) {
      const std::uint32_t c = DecodeUtf8(next, end);
      if (c < 0x10000) {
        hash += c;
        units += 1;
      } else {
        hash += 0xD800 + ((c - 0x10000) >> 10) + 0xDC00 + ((c - 0x10000) & 0x3FF);
        units += 2;
      }
    }
  }
  for (std::size_t i = 0; i < kMockDimensions; ++i) {
    vector[i] = static_cast<float>(std::sin(hash + static_cast<double>(i)) * 0.1);
  }
  return units;
}

HashedMockTokens HashedMockVector(std::string_view prompt, std::string_view text, std::size_t max_tokens,
                                  Pooling pooling, std::span<float> vector, std::size_t mark_at) {
  std::fill_n(vector.begin(), kMockDimensions, 0.0f);
  const std::uint64_t seed = static_cast<std::uint64_t>(pooling) << 32;
  AddFeatures(Mix(seed + kFirstToken), kFeaturesOfWord, vector);
  AddFeatures(Mix(seed + kLastToken), kFeaturesOfWord, vector);
  HashedMockTokens found = {.count = 2};
  TokenFeatures features(seed, vector);
  bool in_word = false;
  for (std::string_view part : {prompt, text}) {
    const auto* const first = reinterpret_cast<const std::uint8_t*>(part.data());
    const auto* const end = first + part.size();
    for (const auto* next = first; next != end && !found.truncated;) {
      const auto here = static_cast<std::size_t>(next - first);
      std::uint32_t c = DecodeUtf8(next, end);
      if (in_word && !IsWord(c)) {
        features.End();
        in_word = false;
      }
      if (IsSpace(c)) continue;
      if (!in_word) {
        if (found.count - 2 == mark_at) found.mark = here;
        if (found.count == max_tokens) {
          found.truncated = true;
          break;
        }
        ++found.count;
      }
      if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
      features.Add(c);
      in_word = IsWord(c);
      if (!in_word) features.End();
    }
  }
  if (in_word) features.End();
  if (pooling == Pooling::kMean) {
    for (float& value : vector.first(kMockDimensions)) value /= static_cast<float>(found.count);
  }
  return found;
}

std::size_t CountMockTokens(std::string_view prompt, std::string_view text) {
  float vector[kMockDimensions];
  return HashedMockVector(prompt, text, std::numeric_limits<std::size_t>::max(), Pooling::kMean, vector).count;
}

}  // namespace thimble::runtime
