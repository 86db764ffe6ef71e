// Lines of codes in pieces, for the sets whose vectors are shorter than a line.

#include "kernels/bundle-inl.h"

// What the bytes of stored line kStored hold of the codes of the last line.
template <WeightFormat kFormat, std::size_t kStored>
THIMBLE_INLINE Piece LoadSpare(const std::uint8_t* bundle) {
  constexpr int kBits = kLevels<kFormat>.bits, kSpare = kLevels<kFormat>.spare_bits();
  return MoveBits<kBits, kSpare, kSpare* static_cast<int>(kStored)>(LoadPiece(bundle + 64 * kStored));
}

// A piece of line kLine of a bundle.
template <WeightFormat kFormat, std::size_t kLine>
THIMBLE_INLINE Piece LoadCodeLine(const std::uint8_t* bundle) {
  constexpr std::size_t kStored = kLevels<kFormat>.stored_lines();
  if constexpr (kLine < kStored) {
    return MoveBits<0, kLevels<kFormat>.bits, 0>(LoadPiece(bundle + 64 * kLine));
  } else {
    Piece code = LoadSpare<kFormat, 0>(bundle);
    ForEachIndex<kStored - 1>([&]<std::size_t kIndex>()
                                  THIMBLE_LAMBDA { code = Or(code, LoadSpare<kFormat, kIndex + 1>(bundle)); });
    return code;
  }
}
