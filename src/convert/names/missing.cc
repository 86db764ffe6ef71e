// What thimble lacks for models that it does not run.

#include <algorithm>
#include <iterator>

#include "convert/names/family.h"

namespace thimble::convert {
namespace {

struct Missing {
  char type[22], what[90];  // No pointers, as in EncoderChoice.
};

constexpr Missing kMissing[] = {
    {"albert", "one layer used many times, and embeddings narrower than layers"},
    {"bart", "a decoder beside the encoder"},
    {"big_bird", "sparse attention"},
    {"bloom", "a causal decoder with ALiBi positions"},
    {"canine", "characters hashed instead of tokens"},
    {"clip", "images, and a causal encoder with norms before the layers' parts"},
    {"convbert", "convolutions beside attention"},
    {"data2vec-text", "its names of tensors"},
    {"deberta", "disentangled attention over relative positions"},
    {"deberta-v2", "disentangled attention over relative positions"},
    {"electra", "its names of tensors, and embeddings narrower than layers"},
    {"ernie", "embeddings of tasks"},
    {"esm", "rotary positions and norms before the layers' parts"},
    {"eurobert", "rotary positions, RMS norms and gated feed-forward networks"},
    {"flaubert", "norms before the layers' parts"},
    {"funnel", "pooling between layers"},
    {"gemma", "a causal decoder with rotary positions, RMS norms and gated feed-forward networks"},
    {"gemma2", "a causal decoder with rotary positions, RMS norms and gated feed-forward networks"},
    {"gemma3", "rotary positions, RMS norms, grouped heads and gated feed-forward networks"},
    {"gemma3_text", "rotary positions, RMS norms, grouped heads and gated feed-forward networks"},
    {"gpt2", "a causal decoder with norms before the layers' parts"},
    {"gte", "rotary positions and gated feed-forward networks"},
    {"ibert", "integer arithmetic inside the model"},
    {"jina_embeddings_v3", "rotary positions and adapters"},
    {"llama", "a causal decoder with rotary positions, RMS norms and gated feed-forward networks"},
    {"llama_bidirec", "rotary positions, RMS norms, grouped heads and gated feed-forward networks"},
    {"longformer", "attention to a window"},
    {"luke", "embeddings of entities"},
    {"mistral", "a causal decoder with rotary positions, RMS norms and gated feed-forward networks"},
    {"mobilebert", "bottlenecks inside layers"},
    {"model2vec", "vectors of words without an encoder"},
    {"modernbert", "rotary positions, attention to a window, norms before and gated feed-forward networks"},
    {"mt5", "a bias of attention by relative positions, and RMS norms before the layers' parts"},
    {"neobert", "rotary positions, RMS norms and gated feed-forward networks"},
    {"new", "rotary positions and gated feed-forward networks"},
    {"nezha", "relative positions inside attention"},
    {"nomic_bert", "rotary positions and gated feed-forward networks without biases"},
    {"nystromformer", "approximated attention"},
    {"opt", "a causal decoder with norms before the layers' parts"},
    {"qwen2", "a causal decoder with rotary positions, RMS norms and gated feed-forward networks"},
    {"qwen3", "a causal decoder with rotary positions, RMS norms and gated feed-forward networks"},
    {"rembert", "embeddings narrower than layers"},
    {"roformer", "rotary positions"},
    {"siglip", "images, and norms before the layers' parts"},
    {"squeezebert", "grouped convolutions in place of matrices"},
    {"t5", "a bias of attention by relative positions, and RMS norms before the layers' parts"},
    {"umt5", "a bias of attention by relative positions, and RMS norms before the layers' parts"},
    {"xlm", "embeddings of languages"},
    {"xlm-roberta-xl", "norms before the layers' parts"},
    {"xlnet", "relative positions and two streams of attention"},
    {"xmod", "adapters of languages"},
};

}  // namespace

std::string_view MissingFor(std::string_view model_type) {
  const auto found = std::find_if(std::begin(kMissing), std::end(kMissing),
                                  [&](const Missing& one) { return one.type == model_type; });
  return found == std::end(kMissing) ? std::string_view() : std::string_view(found->what);
}

}  // namespace thimble::convert
