// Reads a repository's listing.

#include "hub/listing.h"

#include "base/error.h"
#include "base/sha256.h"
#include "convert/folder_files.h"
#include "json/json_file.h"
#include "store/name.h"

namespace thimble::hub {
namespace {

// Models that thimble runs have a tenth of this.
constexpr std::uint64_t kMaxWeightBytes = std::uint64_t{16} << 30;

// Of a file of that name.
std::uint64_t MaxBytes(std::string_view name) {
  for (const char* end : {"tokenizer.json", "vocab.json", ".txt", ".bpe.model"}) {
    if (name.ends_with(end)) return json::kMaxTokenizerBytes;
  }
  return name.ends_with(".json") ? json::kMaxConfigBytes : kMaxWeightBytes;
}

std::string_view Text(const json::Value& object, const char* key) {
  const json::Value* value = object.Find(key);
  return value != nullptr && value->is_string() ? std::string_view(value->string()) : std::string_view();
}

std::optional<std::uint64_t> Count(const json::Value& object, const char* key) {
  const json::Value* value = object.Find(key);
  if (value == nullptr || !value->is_unsigned()) return std::nullopt;
  return value->integer();
}

}  // namespace

Result<Listing> ParseListing(std::string_view json, const std::string& what) {
  THIMBLE_ASSIGN_OR_RETURN(json::JsonFile answer, json::JsonFile::Parse(json, what));
  Listing listing;
  listing.commit = Text(answer.json(), "sha");
  if (!store::IsCommit(listing.commit)) return answer.Corrupt("sha", "40 hexadecimal digits");
  listing.repository = Text(answer.json(), "id");
  const json::Value* siblings = answer.json().Find("siblings");
  if (siblings == nullptr || !siblings->is_array()) return answer.Corrupt("siblings", "an array of files");
  for (const json::Value& entry : siblings->array()) {
    HubFile file;
    file.name = Text(entry, "rfilename");
    if (!convert::IsInside(file.name)) continue;
    file.max_bytes = MaxBytes(file.name);
    file.size = Count(entry, "size");
    if (const json::Value* lfs = entry.Find("lfs"); lfs != nullptr && lfs->is_object()) {
      file.sha256 = Text(*lfs, "sha256");
      if (std::optional<std::uint64_t> size = Count(*lfs, "size")) file.size = size;
    }
    listing.files.emplace(file.name, file);  // Of two entries for one file the first counts.
  }
  return listing;
}

Result<HubFile> FileToGet(const Listing& listing, const std::string& name, const std::string& what) {
  const HubFile& file = listing.files.at(name);
  if (!file.sha256.empty() && !store::IsHex(file.sha256, base::Sha256::kHexDigits)) {
    return Error(Code::kCorrupt, what, ": \"sha256\" of ", name, ": expected 64 hexadecimal digits");
  }
  if (file.size.value_or(0) > file.max_bytes) {
    return Error(Code::kCorrupt, what, ": ", name, " has ", *file.size, " bytes, at most ", file.max_bytes,
                 " are allowed");
  }
  return file;
}

}  // namespace thimble::hub
