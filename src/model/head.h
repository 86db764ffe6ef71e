// What stands behind the encoder: how the vectors of a text's tokens become the vector of the text.

#ifndef THIMBLE_MODEL_HEAD_H_
#define THIMBLE_MODEL_HEAD_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "kernels/kernels.h"
#include "kernels/matrix.h"
#include "thimble/model.h"

namespace thimble::model {

// One step from a vector to the next.
struct HeadModule {
  enum class Kind {
    kDense,      // activation(W x + b), plus x or R x where `residual`.
    kLayerNorm,  // (x - mean) / sqrt(variance + 1e-5) * gamma + beta.
    kNormalize,  // x / max(|x|, 1e-12).
    kTruncate,   // The first `outputs` components.
  };
  Kind kind = Kind::kNormalize;
  std::size_t inputs = 0;
  std::size_t outputs = 0;                             // The same as `inputs` but for kDense and kTruncate.
  std::optional<kernels::Activation> activation = {};  // Unset for the identity.
  bool bias = false;                                   // Whether there is a b.
  bool residual = false;                               // By R where `inputs` and `outputs` differ.
  bool operator==(const HeadModule&) const = default;
};

// Pools the tokens in each of these ways, side by side, and runs the modules.
struct HeadSpec {
  std::vector<Pooling> pooling;
  bool include_prompt = true;  // Whether a prompt's tokens, and the special ones before it, are pooled.
  std::vector<HeadModule> modules;
  bool layer_norm_before_cut = false;  // ModelInfo has it.
  bool operator==(const HeadSpec&) const = default;

  // Length of the vector behind pooling and modules, for tokens of `width` floats.
  std::size_t Dimensions(std::size_t width) const {
    return modules.empty() ? pooling.size() * width : modules.back().outputs;
  }
  // Takes the Normalize modules off the end; whether there were any.
  bool TakeNormalize() {
    const std::size_t all = modules.size();
    while (!modules.empty() && modules.back().kind == HeadModule::Kind::kNormalize) modules.pop_back();
    return modules.size() < all;
  }
  // Whether a module has a matrix of its own for its residual.
  static bool HasResidualMatrix(const HeadModule& module) { return module.residual && module.inputs != module.outputs; }
};

// Vectors between modules are filled up with zeros to this many floats, and so are the matrices' inputs.
inline constexpr std::size_t kHeadStep = 64;
inline constexpr std::size_t kMaxPoolings = 8;
// Of a model file: whether HeadSpec::layer_norm_before_cut is set.
inline constexpr std::string_view kLayerNormBeforeCutKey = "layer_norm_before_cut";
// Stands for the pooling of a model file whose source states none.
inline constexpr const char* kUnstatedPooling = "unstated";
inline constexpr std::size_t kMaxHeadModules = 16;

// What a model file says of the scores of pairs: the name of score i, and what all go through unless asked for raw.
inline constexpr std::string_view kLabelPrefix = "label.";
inline constexpr std::string_view kScoreActivationKey = "score_activation";
inline constexpr std::string_view kScoreActivations[] = {"identity", "sigmoid"};
inline constexpr std::size_t kMaxLabels = 256;

// The names of kinds and activations in a model file: "dense", "layer_norm", "normalize", "truncate"; "gelu",
// "gelu_tanh", "quick_gelu", "silu", "relu", "tanh" and, for the identity, "identity".
std::string_view HeadKindName(HeadModule::Kind kind);
std::string_view ActivationName(std::optional<kernels::Activation> activation);
// False for another name.
bool ParseHeadKind(std::string_view name, HeadModule::Kind* kind);
bool ParseActivation(std::string_view name, std::optional<kernels::Activation>* activation);

// Weights of one module, as far as its kind has any.
struct HeadWeights {
  kernels::Matrix dense;         // fp32 or fp16; outputs and inputs filled up with zeros.
  kernels::Matrix residual;      // The same.
  const float* gamma = nullptr;  // [inputs]
  const float* beta = nullptr;
};

// Computes vectors of texts. Thread-compatible; what it is made of must outlive it. Allocates nothing.
class Head {
 public:
  // Tokens have `width` floats, a multiple of 64. Takes its buffers from `arena`, none where there is just one pooling;
  // with an arena that only counts, it must not be used.
  Head(const HeadSpec& spec, std::span<const HeadWeights> weights, std::size_t width, const kernels::Kernels& kernels,
       base::Arena& arena);

  // The vector of a text with these rows, [tokens][width], of which the first `skip` are not pooled; to unit length
  // where `normalize`. `pooling` has as many ways as the spec. With no row to pool, which kMax must have, it is pooled
  // as sentence-transformers does: to row 0 by kCls, else to zeros.
  void Run(std::span<const Pooling> pooling, const float* rows, std::size_t tokens, std::size_t skip, bool normalize,
           float* out);
  // Gives a vector unit length.
  void Normalize(float* vector);
  // The first `count` components of a vector, fewer than all, to unit length where `normalize`. The vector has room for
  // dimensions() filled up to kHeadStep, and is spoilt.
  void Cut(float* vector, std::size_t count, bool normalize, float* out);

  std::size_t dimensions() const { return dimensions_; }

 private:
  void Pool(Pooling pooling, const float* rows, std::size_t tokens, std::size_t skip, float* out);
  // Takes `from` through a module to `to`.
  void RunModule(std::size_t index, const float* from, float* to);

  const HeadSpec& spec_;
  const std::span<const HeadWeights> weights_;
  const std::size_t width_;
  const std::size_t dimensions_;
  const kernels::Kernels& k_;
  std::size_t capacity_ = 0;                // Floats in each of the buffers;
  float* buffers_[2] = {nullptr, nullptr};  // modules go from one to the other.
};

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_HEAD_H_
