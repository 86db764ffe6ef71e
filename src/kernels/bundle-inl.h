// Codes of the two-level formats (format/weight_format.h), after the vector operations of a set.

// Calls f.template operator()<i>() for each i below kCount.
template <std::size_t kCount, typename Function>
THIMBLE_INLINE void ForEachIndex(Function f) {
  [&]<std::size_t... kIndex>(std::index_sequence<kIndex...>)
      THIMBLE_LAMBDA { (f.template operator()<kIndex>(), ...); }(std::make_index_sequence<kCount>());
}

// Calls f.template operator()<format>() with a two-level format that is known at run time.
template <std::size_t kIndex = 0, typename Function>
THIMBLE_INLINE auto WithFormat(WeightFormat format, Function f) {
  constexpr WeightFormat kFormat = format::kTwoLevelFormats[kIndex].format;
  if constexpr (kIndex + 1 < std::size(format::kTwoLevelFormats)) {
    if (format != kFormat) return WithFormat<kIndex + 1>(format, f);
  }
  return f.template operator()<kFormat>();
}

template <WeightFormat kFormat>
inline constexpr TwoLevel kLevels = format::MatrixLevels(kFormat);

// Bytes of a bundle of codes of a matrix.
template <WeightFormat kFormat>
inline constexpr std::size_t kBundleBytes = 64 * kLevels<kFormat>.stored_lines();

// What is taken from each code before bytes are multiplied in pairs. Where half of the range is, the sums of products
// of a group fit into 16 bits; else a sum of two does.
template <WeightFormat kFormat>
inline constexpr int kCentre =
    255 * kLevels<kFormat>.half() * static_cast<int>(kLevels<kFormat>.group) / 2 <= 32767 ? kLevels<kFormat>.half() : 0;

// The codes and group data of strips of one matrix.
struct PackedStrip {
  const std::uint8_t* codes;
  const std::uint8_t* groups;
};
template <WeightFormat kFormat>
THIMBLE_INLINE PackedStrip StripOf(const Matrix& w, std::size_t n) {
  constexpr const TwoLevel& kForm = kLevels<kFormat>;
  return {static_cast<const std::uint8_t*>(w.weights) + kForm.CodeBytes(n * w.inputs),
          w.groups + n / kStrip * kForm.StripGroupBytes(w.inputs)};
}
