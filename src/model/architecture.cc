// An encoder's description in a model file.

#include "model/architecture.h"

#include <optional>

#include "base/error.h"
#include "json/value.h"
#include "model/head.h"

namespace thimble::model {
namespace {

constexpr NamedSize kSizes[] = {{"hidden_size", &Architecture::hidden, 64, kMaxHidden},
                                {"layers", &Architecture::layers, 1, kMaxLayers},
                                {"heads", &Architecture::heads, 1, kMaxHidden},
                                {"intermediate_size", &Architecture::intermediate, 64, kMaxIntermediate},
                                {"positions", &Architecture::positions, 1, kMaxPositions},
                                {"vocabulary", &Architecture::vocabulary, 1, kMaxVocabulary}};
constexpr const char* kEpsilonKey = "layer_norm_eps";
constexpr std::string_view kPositionsKey = "encoder.positions", kPadded = "padded", kPadKey = "encoder.pad_id";

// The first value of a key; empty for an unknown one.
std::string_view DefaultOf(std::string_view key) {
  for (const EncoderChoice& choice : kEncoderChoices) {
    if (choice.key == key) return choice.value;
  }
  return "";
}

bool IsKnown(std::string_view key, std::string_view value) {
  if (key == kRelativeReachKey) return true;
  if (key == kInputKey) return value == kPairInput;
  for (const EncoderChoice& choice : kEncoderChoices) {
    if (choice.key == key && choice.value == value) return true;
  }
  return false;
}

// Whether a choice is that of an architecture.
bool IsOf(const Architecture& a, const EncoderChoice& choice) {
  if (choice.key == kPositionsKey) return (choice.value == kPadded) == a.pad_id.has_value();
  return choice.value == DefaultOf(choice.key);
}

}  // namespace

Status CheckSizes(const Architecture& a, const std::string& path, Code code) {
  if (a.hidden % 64 != 0 || a.intermediate % 64 != 0) {
    return Error(code, path, ": hidden_size ", a.hidden, " and intermediate_size ", a.intermediate,
                 ": expected multiples of 64");
  }
  if (a.hidden % a.heads != 0 || a.head_width() % 32 != 0 || a.head_width() > kernels::kMaxHeadWidth) {
    return Error(code, path, ": ", a.heads, " heads of hidden_size ", a.hidden,
                 ": expected a width of 32, 64, 96 or 128 each");
  }
  return Status();
}

std::vector<std::pair<std::string, std::string>> DescriptionOf(const Architecture& architecture) {
  std::vector<std::pair<std::string, std::string>> metadata;
  auto add = [&](std::string_view key, std::string_view value) { metadata.emplace_back(key, value); };
  add("activation", ActivationName(architecture.activation));
  if (architecture.relative_reach != 0) add(kRelativeReachKey, std::to_string(architecture.relative_reach));
  for (const NamedSize& size : kSizes) add(size.key, std::to_string(architecture.*size.size));
  add(kEpsilonKey, json::Value(architecture.norm_epsilon).Text());
  for (const EncoderChoice& choice : kEncoderChoices) {
    if (IsOf(architecture, choice)) add(choice.key, choice.value);
  }
  if (architecture.pad_id) add(kPadKey, std::to_string(*architecture.pad_id));
  if (architecture.pairs) add(kInputKey, kPairInput);
  return metadata;
}

Result<Architecture> ReadArchitecture(const format::Reader& reader) {
  const bool padded = reader.Metadata(kPositionsKey) == kPadded;
  for (const auto& [key, value] : reader.header().metadata) {
    if (padded && key == kPadKey) continue;
    if (key.starts_with(kEncoderPrefix) && !IsKnown(key, value)) return reader.Unknown(key, "value");
  }
  Architecture architecture;
  architecture.pairs = reader.Metadata(kInputKey).has_value();
  THIMBLE_ASSIGN_OR_RETURN(std::string_view name, reader.Text("activation"));
  std::optional<kernels::Activation> activation;
  if (!ParseActivation(name, &activation) || !activation) {
    return reader.Unknown("activation", "activation");
  }
  architecture.activation = *activation;
  if (reader.Metadata(kRelativeReachKey)) {
    THIMBLE_ASSIGN_OR_RETURN(architecture.relative_reach, reader.Integer(kRelativeReachKey, 1, kMaxPositions));
  }
  for (const NamedSize& size : kSizes) {
    THIMBLE_ASSIGN_OR_RETURN(architecture.*size.size, reader.Integer(size.key, size.low, size.high));
  }
  if (padded) {
    THIMBLE_ASSIGN_OR_RETURN(const std::uint64_t pad, reader.Integer(kPadKey, 0, architecture.vocabulary - 1));
    architecture.pad_id = static_cast<std::int32_t>(pad);
  }
  THIMBLE_ASSIGN_OR_RETURN(architecture.norm_epsilon, reader.Number(kEpsilonKey));
  if (!(architecture.norm_epsilon > 0 && architecture.norm_epsilon < 1)) {
    return reader.Mismatch(kEpsilonKey, "a number between 0 and 1");
  }
  THIMBLE_RETURN_IF_ERROR(CheckSizes(architecture, reader.path(), Code::kCorrupt));
  return architecture;
}

bool IsDefaultChoice(std::string_view key, std::string_view value) { return DefaultOf(key) == value; }

}  // namespace thimble::model
