// Elementwise functions over F, 16 floats. Compiled once for each instruction set, inside its target region and
// namespace, after the operations that vector_*-inl.h defines. Coefficients and errors are printed by
// scripts/fit_polynomials.py.

// Lanes [0, count) of a, else `other`.
THIMBLE_INLINE F KeepLanes(F a, std::size_t count, float other) {
  static constexpr float kSigns[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                       1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1};
  return SelectNegative(Load(kSigns + 16 - (count < 16 ? count : 16)), a, Set(other));
}

// 2^x for x <= 127, relative error 1.1e-4; below -126 it stays at 2^-126. The constant term is 1, so 2^0 is exact.
THIMBLE_INLINE F Exp2Fast(F x) {
  x = Max(x, Set(-126.0f));
  F n = RoundEven(x);
  F f = Sub(x, n);
  F p = Fma(f, Set(0.0550089292f), Set(0.242210954f));
  p = Fma(p, f, Set(0.693282902f));
  p = Fma(p, f, Set(1.0f));
  return ScaleByPowerOfTwo(p, n);
}

// 2^x likewise, relative error 2e-7.
THIMBLE_INLINE F Exp2(F x) {
  x = Max(x, Set(-126.0f));
  F n = RoundEven(x);
  F f = Sub(x, n);
  F p = Fma(f, Set(1.51961567e-05f), Set(0.000154667563f));
  p = Fma(p, f, Set(0.00133339351f));
  p = Fma(p, f, Set(0.00961803831f));
  p = Fma(p, f, Set(0.0555041023f));
  p = Fma(p, f, Set(0.240226507f));
  p = Fma(p, f, Set(0.693147182f));
  p = Fma(p, f, Set(1.0f));
  return ScaleByPowerOfTwo(p, n);
}

// x Phi(x) by an odd polynomial for Phi - 1/2, within 1.5e-4 for |x| <= 3.9 and 5e-5 |x| beyond.
THIMBLE_INLINE F GeluFast(F x) {
  F c = Max(Min(x, Set(3.9f)), Set(-3.9f));
  F u = Mul(c, c);
  F p = Fma(Set(2.62714508e-08f), u, Set(-1.77049333e-06f));
  p = Fma(p, u, Set(5.12372353e-05f));
  p = Fma(p, u, Set(-0.000844511611f));
  p = Fma(p, u, Set(0.00891378522f));
  p = Fma(p, u, Set(-0.0648694709f));
  p = Fma(p, u, Set(0.398085594f));
  return Mul(x, Fma(p, c, Set(0.5f)));
}

// x Phi(x) through erfc(z) = t exp(P(t) - z^2), t = 1 / (1 + z / 2), z = |x| / sqrt 2: within 1e-6.
THIMBLE_INLINE F Gelu(F x) {
  constexpr float kLog2E = 1.44269504f;
  F z = Min(Mul(Abs(x), Set(0.707106781f)), Set(4.2f));
  F t = Div(Set(1.0f), Fma(z, Set(0.5f), Set(1.0f)));
  F p = Fma(Set(-0.161200225f), t, Set(1.08419991f));
  p = Fma(p, t, Set(-3.07054186f));
  p = Fma(p, t, Set(4.64092731f));
  p = Fma(p, t, Set(-3.90693259f));
  p = Fma(p, t, Set(1.86370695f));
  p = Fma(p, t, Set(-0.776737511f));
  p = Fma(p, t, Set(0.23590295f));
  p = Fma(p, t, Set(0.354898959f));
  p = Fma(p, t, Set(1.00130999f));
  p = Fma(p, t, Set(-1.26553369f));
  F exponent = Sub(p, Mul(z, z));
  F half_erfc = Mul(Mul(t, Set(0.5f)), Exp2(Mul(exponent, Set(kLog2E))));
  return Mul(x, SelectNegative(x, half_erfc, Sub(Set(1.0f), half_erfc)));
}
