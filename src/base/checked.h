// Arithmetic on sizes read from files: every step can fail, none wraps.

#ifndef THIMBLE_BASE_CHECKED_H_
#define THIMBLE_BASE_CHECKED_H_

#include <cstdint>
#include <optional>
#include <span>

namespace thimble::base {

inline std::optional<std::uint64_t> CheckedMul(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

inline std::optional<std::uint64_t> CheckedAdd(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

// The product of all of `factors`, 1 for none.
inline std::optional<std::uint64_t> CheckedProduct(std::span<const std::uint64_t> factors) {
  std::optional<std::uint64_t> product = 1;
  for (std::uint64_t factor : factors) {
    product = CheckedMul(*product, factor);
    if (!product) break;
  }
  return product;
}

// `value` rounded up to a multiple of `unit`, a power of two.
constexpr std::uint64_t RoundUp(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) & ~(unit - 1); }

}  // namespace thimble::base

#endif  // THIMBLE_BASE_CHECKED_H_
