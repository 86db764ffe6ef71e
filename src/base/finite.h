// Whether floats are numbers.

#ifndef THIMBLE_BASE_FINITE_H_
#define THIMBLE_BASE_FINITE_H_

#include <bit>
#include <cstdint>
#include <span>

namespace thimble::base {

// Whether none is infinite or NaN.
inline bool AllFinite(std::span<const float> values) {
  constexpr std::uint32_t kExponent = 0x7f800000, kCarry = 0x00800000, kTop = 0x80000000;
  std::uint32_t all = 0;  // An exponent of ones carries into the top bit, no other does.
  for (const float value : values) all |= (std::bit_cast<std::uint32_t>(value) & kExponent) + kCarry;
  return (all & kTop) == 0;
}

}  // namespace thimble::base

#endif  // THIMBLE_BASE_FINITE_H_
