// Picks the files of a model from a repository's listing.

#include "hub/listing.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "convert/json_file.h"

namespace thimble::hub {
namespace {

// Models that thimble runs have a tenth of this.
constexpr std::uint64_t kMaxWeightBytes = std::uint64_t{16} << 30;

struct Wanted {
  std::string_view name;
  std::uint64_t max_bytes;
  bool required;
};
constexpr Wanted kConfiguration[] = {
    {"config.json", convert::kMaxConfigBytes, true},
    {"tokenizer.json", convert::kMaxTokenizerBytes, true},
    {"tokenizer_config.json", convert::kMaxConfigBytes, false},
    {"modules.json", convert::kMaxConfigBytes, false},
    {"1_Pooling/config.json", convert::kMaxConfigBytes, false},
    {"sentence_bert_config.json", convert::kMaxConfigBytes, false},
    {"config_sentence_transformers.json", convert::kMaxConfigBytes, false},
};
// The first that is there.
constexpr Wanted kWeights[] = {
    {"model.safetensors", kMaxWeightBytes, false},
    {"onnx/model.onnx", kMaxWeightBytes, false},
};

const nlohmann::json* Member(const nlohmann::json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::string_view Text(const nlohmann::json& object, const char* key) {
  const nlohmann::json* value = Member(object, key);
  return value != nullptr && value->is_string() ? *value->get_ptr<const std::string*>() : std::string_view();
}

std::optional<std::uint64_t> Count(const nlohmann::json& object, const char* key) {
  const nlohmann::json* value = Member(object, key);
  if (value == nullptr || !value->is_number_unsigned()) return std::nullopt;
  return *value->get_ptr<const nlohmann::json::number_unsigned_t*>();
}

// The file `wanted` among the siblings; nullopt when it is not there.
Result<std::optional<HubFile>> Find(const nlohmann::json& siblings, const Wanted& wanted, const std::string& what) {
  auto found = std::find_if(siblings.begin(), siblings.end(),
                            [&](const nlohmann::json& entry) { return Text(entry, "rfilename") == wanted.name; });
  if (found == siblings.end()) return std::optional<HubFile>();
  HubFile file = {.name = wanted.name, .max_bytes = wanted.max_bytes, .size = Count(*found, "size"), .sha256 = {}};
  if (const nlohmann::json* lfs = Member(*found, "lfs"); lfs != nullptr && lfs->is_object()) {
    file.sha256 = Text(*lfs, "sha256");
    if (!file.sha256.empty() && !IsHex(file.sha256, 64)) {
      return Error(Code::kCorrupt, what, ": \"sha256\" of ", wanted.name, ": expected 64 hexadecimal digits");
    }
    if (std::optional<std::uint64_t> size = Count(*lfs, "size")) file.size = size;
  }
  if (file.size.value_or(0) > wanted.max_bytes) {
    return Error(Code::kCorrupt, what, ": ", wanted.name, " has ", *file.size, " bytes, at most ", wanted.max_bytes,
                 " are allowed");
  }
  return std::optional<HubFile>(std::move(file));
}

}  // namespace

bool IsHex(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<Listing> ParseListing(std::string_view json, const std::string& what) {
  THIMBLE_ASSIGN_OR_RETURN(convert::JsonFile answer, convert::JsonFile::Parse(json, what));
  Listing listing;
  listing.commit = Text(answer.json(), "sha");
  if (!IsHex(listing.commit, 40)) return answer.Corrupt("sha", "40 hexadecimal digits");
  const nlohmann::json* siblings = Member(answer.json(), "siblings");
  if (siblings == nullptr || !siblings->is_array()) return answer.Corrupt("siblings", "an array of files");
  for (const Wanted& wanted : kConfiguration) {
    THIMBLE_ASSIGN_OR_RETURN(std::optional<HubFile> file, Find(*siblings, wanted, what));
    if (file) {
      listing.files.push_back(*std::move(file));
    } else if (wanted.required) {
      return Error(Code::kNotFound, what, ": it has no ", wanted.name);
    }
  }
  for (const Wanted& wanted : kWeights) {
    THIMBLE_ASSIGN_OR_RETURN(std::optional<HubFile> file, Find(*siblings, wanted, what));
    if (!file) continue;
    listing.files.push_back(*std::move(file));
    return listing;
  }
  return Error(Code::kNotFound, what, ": it has neither ", kWeights[0].name, " nor ", kWeights[1].name);
}

}  // namespace thimble::hub
