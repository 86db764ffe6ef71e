// For instruction sets whose integer products have no way of their own for blocks of many rows.

inline constexpr std::size_t kBlockRows = 0;
struct ProductScope {};
template <std::size_t kWidth, bool kPrefetch, typename... Arguments>
void AddBlock(Arguments&&...);  // Never called.
