// Unpacking of 6 and 4 bits in NEON. See vector_scalar-inl.h for what each operation computes.

// The integers of a group: of output n its multiplier and its offset in the bytes of lane n.
struct Levels {
  uint8x16_t multipliers[4], offsets[4];
};
template <int kBits, bool kCrowded>
THIMBLE_INLINE Levels LoadLevels(const std::uint8_t* group) {
  constexpr int kMultiplierBits = kBits == 4 ? kQ4Levels.multiplier_bits : kQ6Levels.multiplier_bits;
  constexpr std::uint8_t kInByte = 8 / kMultiplierBits;
  std::uint64_t bytes = 0;
  __builtin_memcpy(&bytes, group + kStrip, 2 * kMultiplierBits);
  const uint8x16_t packed = vreinterpretq_u8_u64(vdupq_n_u64(bytes)), offsets = vld1q_u8(group);
  const uint8x16_t first = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
  Levels levels;
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < 4; ++i) {
    const uint8x16_t lanes = vaddq_u8(first, vdupq_n_u8(static_cast<std::uint8_t>(4 * i)));
    // The bits of multiplier n begin at bit n kMultiplierBits: the byte, and the place within it.
    const uint8x16_t places = vandq_u8(lanes, vdupq_n_u8(kInByte - 1));
    const int8x16_t shifts = vnegq_s8(vreinterpretq_s8_u8(vmulq_u8(places, vdupq_n_u8(kMultiplierBits))));
    uint8x16_t multipliers = vshlq_u8(vqtbl1q_u8(packed, vshrq_n_u8(lanes, kInByte == 2 ? 1 : 2)), shifts);
    multipliers = vandq_u8(multipliers, vdupq_n_u8((1 << kMultiplierBits) - 1));
    levels.multipliers[i] = vaddq_u8(multipliers, vdupq_n_u8(1));
    levels.offsets[i] = vqtbl1q_u8(offsets, lanes);
  }
  return levels;
}
// A quarter of line kLine of a bundle: two lines of 4-bit codes in 64 bytes, or four of 6-bit codes in 192.
template <int kBits, std::size_t kLine>
THIMBLE_INLINE uint8x16_t LoadCodeLine(const std::uint8_t* bundle) {
  if constexpr (kBits == 4) {
    uint8x16_t pair = vld1q_u8(bundle);
    return kLine == 1 ? vshrq_n_u8(pair, 4) : vandq_u8(pair, vdupq_n_u8(15));
  } else if constexpr (kLine < 3) {
    return vandq_u8(vld1q_u8(bundle + 64 * kLine), vdupq_n_u8(63));
  } else {
    uint8x16_t code = vshrq_n_u8(vld1q_u8(bundle), 6);
    code = vorrq_u8(code, vandq_u8(vshrq_n_u8(vld1q_u8(bundle + 64), 4), vdupq_n_u8(12)));
    return vorrq_u8(code, vandq_u8(vshrq_n_u8(vld1q_u8(bundle + 128), 2), vdupq_n_u8(48)));
  }
}
// A code times a multiplier stays below 256, so that bytes suffice.
template <int kBits, std::size_t kLine, bool kCrowded>
THIMBLE_INLINE Line UnpackLine(const std::uint8_t* bundle, const Levels& levels) {
  Line line;
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < 4; ++i) {
    uint8x16_t products = vmulq_u8(LoadCodeLine<kBits, kLine>(bundle + 16 * i), levels.multipliers[i]);
    line.v[i] = vreinterpretq_s8_u8(vsubq_u8(products, levels.offsets[i]));
  }
  return line;
}
