// Where the time of a forward pass goes: a table of kernels that times what it forwards to.

#ifndef THIMBLE_BENCH_PARTS_H_
#define THIMBLE_BENCH_PARTS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "bench/peak.h"
#include "kernels/kernels.h"

namespace thimble::bench {

// Panels are what a product takes whatever its number of rows, such as unpacking weights and waiting for them.
enum Part : std::size_t { kProducts, kPanels, kGelu, kAttention, kQuantisation, kLayerNorm, kRest, kParts };
inline constexpr const char* kPartNames[kParts] = {"products",     "panels",    "GELU", "attention",
                                                   "quantisation", "LayerNorm", "rest"};

// One at a time: the functions of a table have no place for a pointer to it.
class PartTimer {
 public:
  explicit PartTimer(const kernels::Kernels& kernels) : kernels_(kernels) {
    under_ = &kernels;
    kernels_.linear_int8 = LinearInt8;
    kernels_.linear_float = [](const auto& w, auto x, auto stride, const auto& output) {
      Linear(output, [&](const auto& o) { under_->linear_float(w, x, stride, o); });
    };
    kernels_.attention_int8 = [](auto... a) { Time<kAttention>(under_->attention_int8, a...); };
    kernels_.attention_float = [](auto... a) { Time<kAttention>(under_->attention_float, a...); };
    kernels_.quantize = [](auto... a) { Time<kQuantisation>(under_->quantize, a...); };
    kernels_.layer_norm = [](auto... a) { Time<kLayerNorm>(under_->layer_norm, a...); };
    kernels_.embed = [](auto... a) { Time<kRest>(under_->embed, a...); };
    kernels_.sum = [](auto... a) { Time<kRest>(under_->sum, a...); };
    kernels_.normalize = [](auto... a) { Time<kRest>(under_->normalize, a...); };
    Clear();
  }

  const kernels::Kernels& kernels() const { return kernels_; }
  void Clear() { seconds_.fill(0); }
  double seconds(std::size_t part) const { return std::max(0.0, seconds_[part]); }

 private:
  template <Part kPart, typename Function, typename... Arguments>
  static void Time(Function function, const Arguments&... arguments) {
    const double begin = Now();
    function(arguments...);
    seconds_[kPart] += Now() - begin;
  }

  static void LinearInt8(const kernels::Matrix& w, const kernels::QuantizedRows& x, const kernels::LinearOutput& output,
                         std::int8_t* panel) {
    Linear(output, [&](const kernels::LinearOutput& o) { under_->linear_int8(w, x, o, panel); });
  }

  // The product once as it is, and before that without its Gelu, and with half of the rows: the differences are the
  // time of the Gelu, and of what all rows share. Only the last call's results stay, but for sums, which are made once.
  template <typename Call>
  static void Linear(const kernels::LinearOutput& output, Call call) {
    const auto time = [&](const kernels::LinearOutput& o) {
      const double begin = Now();
      call(o);
      return Now() - begin;
    };
    double half = 0, stored = 0;
    const bool adds = output.epilogue == kernels::Epilogue::kAdd;
    kernels::LinearOutput plain = output;
    plain.epilogue = kernels::Epilogue::kStore;
    if (!adds) {
      time(plain);  // The weights come into the caches.
      kernels::LinearOutput first = plain;
      first.rows = output.rows / 2;
      half = time(first);
      stored = time(plain);
    }
    const double whole = time(output);
    if (adds) {
      seconds_[kProducts] += whole;
      return;
    }
    const double panels = std::max(0.0, 2 * half - stored);
    seconds_[kPanels] += panels;
    seconds_[kProducts] += stored - panels;
    if (output.epilogue == kernels::Epilogue::kGelu) seconds_[kGelu] += whole - stored;
  }

  inline static const kernels::Kernels* under_ = nullptr;
  inline static std::array<double, kParts> seconds_ = {};
  kernels::Kernels kernels_;
};

}  // namespace thimble::bench

#endif  // THIMBLE_BENCH_PARTS_H_
