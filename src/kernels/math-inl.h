// Elementwise functions over F, 16 floats. Compiled once for each instruction set, inside its target region and
// namespace, after the operations that vector_*-inl.h defines. Coefficients and errors are printed by
// scripts/goldens/polynomials.py.

// Lanes [0, count) of a, else `other`.
THIMBLE_INLINE F KeepLanes(F a, std::size_t count, float other) {
  static constexpr float kSigns[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                       1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1,  1};
  return SelectNegative(Load(kSigns + 16 - (count < 16 ? count : 16)), a, Set(other));
}

// 2^x for x <= 127, relative error 1.1e-4; below -126 it stays at 2^-126. The constant term is 1, so 2^0 is exact. For
// no float of [-0.5, 0.5] rounding twice does harm (fma_sse41_test.cc).
THIMBLE_INLINE F Exp2Fast(F x) {
  x = Max(x, Set(-126.0f));
  F n = RoundEven(x);
  F f = Sub(x, n);
  F p = FmaThroughDouble(f, Set(0.0550089292f), Set(0.242210954f));
  p = FmaThroughDouble(p, f, Set(0.693282902f));
  p = FmaThroughDouble(p, f, Set(1.0f));
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

// Coefficients of a^0, a^1 and a^2 in 16 pieces, number i for a within an eighth of i / 4.
alignas(64) inline constexpr float kGeluPieces[3][16] = {
    {-1.02584454e-06f, -0.000636570738f, -0.0105226152f, -0.0465588383f, -0.119179741f, -0.220564634f, -0.325265348f,
     -0.402380288f, -0.430751055f, -0.406295836f, -0.342764109f, -0.260972619f, -0.180590838f, -0.114186808f,
     -0.0662455261f, 0.160734281f},
    {-0.499878556f, -0.4921f, -0.4411861f, -0.326810211f, -0.160853907f, 0.0200246517f, 0.173264757f, 0.26909399f,
     0.300018996f, 0.277365804f, 0.223988995f, 0.161637634f, 0.105618805f, 0.0630128831f, 0.0345183201f,
     -0.0872977674f},
    {0.39706555f, 0.373466164f, 0.307395846f, 0.216348946f, 0.121377163f, 0.0406204909f, -0.0154865673f, -0.045270022f,
     -0.053696949f, -0.0484509207f, -0.0372372121f, -0.025352072f, -0.0155905569f, -0.00875552092f, -0.00452103186f,
     0.0118183959f},
};

// max(x, 0) - a Phi(-a), a = |x|: within 1.2e-4 of x Phi(x). Beside products of matrices multiplications cost most, and
// this has two. Rounding the first of them twice does no harm in [0, 3.87] (fma_sse41_test.cc).
THIMBLE_INLINE F GeluFast(F x) {
  F a = Min(Abs(x), Set(3.87f));
  // Adding 1.5 2^21 rounds to quarters and leaves their number in the low bits.
  F place = Add(a, Set(3145728.0f));
  F p = FmaThroughDouble(LookUp(kGeluPieces[2], place), a, LookUp(kGeluPieces[1], place));
  p = Fma(p, a, LookUp(kGeluPieces[0], place));
  return Add(Max(x, Set(0.0f)), p);
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

// exp(x), at most 2^126, relative error 2e-7 and that of rounding x log2(e).
THIMBLE_INLINE F Exp(F x) { return Exp2(Min(Mul(x, Set(1.44269504f)), Set(126.0f))); }

// x / (1 + exp(-u)).
THIMBLE_INLINE F TimesSigmoid(F x, F u) { return Div(x, Add(Set(1.0f), Exp(Sub(Set(0.0f), u)))); }
