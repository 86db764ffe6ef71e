// 16 lanes in four registers, and the arithmetic that compilers know for every one of 128 bits.

struct F {
  QuarterF v[4];
};
struct I {
  QuarterI v[4];
};

template <typename Op>
THIMBLE_INLINE F Map(Op op) {
  return {{op(0), op(1), op(2), op(3)}};
}
template <typename Op>
THIMBLE_INLINE I MapI(Op op) {
  return {{op(0), op(1), op(2), op(3)}};
}
THIMBLE_INLINE F Add(F a, F b) {
  return Map([&](int i) { return a.v[i] + b.v[i]; });
}
THIMBLE_INLINE F Sub(F a, F b) {
  return Map([&](int i) { return a.v[i] - b.v[i]; });
}
THIMBLE_INLINE F Mul(F a, F b) {
  return Map([&](int i) { return a.v[i] * b.v[i]; });
}
THIMBLE_INLINE F Div(F a, F b) {
  return Map([&](int i) { return a.v[i] / b.v[i]; });
}
