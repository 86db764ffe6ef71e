// Models that thimble knows by name: where they are on the hub, and what their sources may not say of themselves.

#ifndef THIMBLE_STORE_KNOWN_MODELS_H_
#define THIMBLE_STORE_KNOWN_MODELS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/dtypes.h"
#include "thimble/model.h"

namespace thimble::store {

// Text inside a table, which therefore has no pointers, and no page that a process would have to itself.
template <std::size_t kBytes>
class FixedText {
 public:
  constexpr FixedText() = default;
  template <std::size_t kSize>
  consteval FixedText(const char (&text)[kSize]) : size_(kSize - 1) {
    static_assert(kSize - 1 <= kBytes);
    for (std::size_t i = 0; i < kSize - 1; ++i) text_[i] = text[i];
  }
  constexpr operator std::string_view() const { return {text_, size_}; }
  constexpr bool empty() const { return size_ == 0; }

 private:
  char text_[kBytes] = {};
  std::uint8_t size_ = 0;
};

// By `model_type` of config.json, but for kNomicMoe, kJinaBert, kJinaV3 and kStatic.
enum class KnownFamily : std::uint8_t {
  kBert,
  kDistilBert,
  kMpNet,
  kRoberta,
  kXlmRoberta,
  kDeberta,
  kGemma3,
  kGteNew,
  kJinaBert,
  kJinaV3,
  kModernBert,
  kNomicBert,
  kNomicMoe,
  kQwen3,
  kStatic,
};

enum class KnownPrompts : std::uint8_t { kNoPrompts, kSearch, kQuery, kE5 };

// Pooling and normalisation are unstated where a source always has them, or has modules behind the pooling.
enum class KnownPooling : std::uint8_t { kUnstated, kMean, kCls };

struct KnownShape {
  std::uint8_t layers = 0;  // 0: of a model that does not run.
  std::uint16_t hidden = 0, intermediate = 0, positions = 0;
  std::uint32_t vocabulary = 0;
  std::uint16_t dense = 0;  // Outputs of a module behind the pooling.

  constexpr KnownShape Dense(std::uint16_t outputs) const {
    KnownShape shape = *this;
    shape.dense = outputs;
    return shape;
  }
};

struct KnownScore {
  std::uint16_t hundredths = 0;
  std::uint8_t tasks = 0;  // 0: there is none.
  std::uint16_t retrieval_tenths = 0;
};

// A row of the table.
struct KnownModel {
  enum class Kind : std::uint8_t { kEmbedding, kReranker };
  enum class Languages : std::uint8_t { kEnglish, kMultilingual };

  FixedText<59> repository;  // "BAAI/bge-small-en-v1.5"
  FixedText<47> copies[3];   // Of it, "Xenova/bge-small-en-v1.5"; those that are empty come last.
  KnownFamily family;
  Kind kind;
  Languages languages;
  KnownShape shape;
  std::uint16_t max_tokens;  // As sentence-transformers has it.
  KnownPooling known_pooling;
  bool normalize;
  KnownPrompts known_prompts;
  FixedText<15> licence;
  KnownScore english, multilingual;

  // The repository without its organisation.
  std::string_view name() const;
  std::vector<std::string_view> aliases() const;
  std::optional<Pooling> pooling() const;
  std::vector<Prompt> prompts() const;
  std::string_view family_name() const;
  // What its family needs and thimble does not have, "rotary positions" for example; empty for one that runs.
  std::string_view missing() const;
  // Of a model file with a tokenizer of usual size; 0 for a model that does not run.
  std::uint64_t FileBytes(format::Dtype dtype) const;
};

// The whole table.
std::span<const KnownModel> AllKnownModels();

// The model of that name, repository or alias, in any case of letters; null when there is none. An organisation that is
// not listed is somebody else's model.
const KnownModel* FindKnownModel(std::string_view alias);

// Whether the authors of that model cut the LayerNorm of its vectors, and not the vectors, to shorter ones.
bool CutsLayerNorm(std::string_view alias);

}  // namespace thimble::store

#endif  // THIMBLE_STORE_KNOWN_MODELS_H_
