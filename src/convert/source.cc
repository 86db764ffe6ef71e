// Finding tensors, whatever a checkpoint puts before their names.

#include "convert/source.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/regular_file.h"
#include "base/sha256.h"
#include "convert/folder_files.h"
#include "convert/weight_file.h"
#include "format/safetensors.h"
#include "json/json_file.h"

namespace thimble::convert {
namespace {

// Far beyond any weight; its square and the sum of a row of them are still floats.
constexpr float kLargestValue = 1e15f;

constexpr std::size_t kMaxIndexBytes = 16 << 20, kMaxShards = 1000;

// A name as a family's own model has it: checkpoints of whole models put their parts' names before it, and old ones may
// end otherwise.
std::string PlainName(std::string_view name, const Family& family) {
  for (std::string_view prefix :
       {std::string_view("module."), std::string_view("0.auto_model."), std::string_view("0.model."),
        std::string_view("auto_model."), std::string_view("model."), family.prefix}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  for (const auto& [old_end, end] : family.old_names) {
    if (name.ends_with(old_end)) {
      name.remove_suffix(std::string_view(old_end).size());
      return std::string(name) + end;
    }
  }
  return std::string(name);
}

}  // namespace

Result<Source> Source::Open(const std::string& folder, const std::string& name, const Family& family,
                            std::optional<std::int32_t> pad_id, bool scores) {
  Source source(family);
  source.path_ = folder + "/" + name;
  if (IsWeightIndex(name)) {
    THIMBLE_RETURN_IF_ERROR(source.AddShards(folder, name));
  } else {
    THIMBLE_RETURN_IF_ERROR(source.AddFile(source.path_, pad_id, scores));
  }
  return source;
}

Status Source::AddFile(const std::string& path, std::optional<std::int32_t> pad_id, bool scores) {
  hashed_.push_back(path);
  if (path.ends_with(".onnx")) {
    THIMBLE_ASSIGN_OR_RETURN(OnnxModel model, OpenOnnx(path, *family_, pad_id, scores));
    graph_ = std::make_unique<OnnxModel>(std::move(model));
    hashed_.insert(hashed_.end(), graph_->data_files.begin(), graph_->data_files.end());
    AddNames(*graph_->weights);
    return Status();
  }
  std::unique_ptr<WeightFile> file;
  if (path.ends_with(".bin")) {
    THIMBLE_ASSIGN_OR_RETURN(file, OpenTorchFile(path));
  } else {
    THIMBLE_ASSIGN_OR_RETURN(file, OpenSafetensorsFile(path));
  }
  AddNames(*file);
  files_.push_back(std::move(file));
  return Status();
}

Status Source::AddShards(const std::string& folder, const std::string& index) {
  THIMBLE_ASSIGN_OR_RETURN(const std::string text, json::ReadFile(path_, kMaxIndexBytes));
  THIMBLE_ASSIGN_OR_RETURN(const json::JsonFile file, json::JsonFile::Parse(text, path_));
  const json::Value* map = file.Find("weight_map");
  if (map == nullptr || !map->is_object()) return file.Corrupt("weight_map", "an object from tensors to files");
  std::vector<std::string> shards;
  for (const auto& [tensor, shard] : map->object()) {
    const bool inside = shard.is_string() && IsInside(shard.string()) && shard.string().find('/') == std::string::npos;
    if (!inside) return file.Corrupt("weight_map." + tensor, "the name of a file beside it");
    shards.push_back(shard.string());
  }
  std::sort(shards.begin(), shards.end());
  shards.erase(std::unique(shards.begin(), shards.end()), shards.end());
  if (shards.size() > kMaxShards) return file.Corrupt("weight_map", "at most " + std::to_string(kMaxShards) + " files");
  const std::string beside = folder + "/" + index.substr(0, index.rfind('/') + 1);
  for (const std::string& shard : shards) THIMBLE_RETURN_IF_ERROR(AddFile(beside + shard));
  // What the index names must be there; a shard of another export would lack it.
  for (const auto& [tensor, shard] : map->object()) {
    if (!Contains(PlainName(tensor, *family_))) {
      return Error(Code::kCorrupt, path_, ": tensor \"", tensor, "\" is not in ", shard.string());
    }
  }
  return Status();
}

void Source::AddNames(WeightFile& file) {
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    const auto [entry, added] =
        tensors_.try_emplace(PlainName(file.tensors()[i].name, *family_), Entry{{&file, i}, false});
    if (!added) entry->second.twice = true;
  }
}

Result<const SourceTensor*> Source::Find(std::string_view name, std::span<const std::uint64_t> shape) const {
  const auto found = tensors_.find(std::string(name));
  if (found == tensors_.end()) return Error(Code::kCorrupt, path_, ": tensor \"", name, "\" is missing");
  const SourceTensor& tensor = found->second.tensor;
  const WeightTensor& stored = tensor.file->tensors()[tensor.index];
  if (found->second.twice) {
    return Error(Code::kCorrupt, path_, ": tensor \"", name, "\" is there more than once, first as \"", stored.name,
                 "\"");
  }
  if (!std::equal(shape.begin(), shape.end(), stored.shape.begin(), stored.shape.end())) {
    return Error(Code::kCorrupt, tensor.file->path(), ": tensor \"", stored.name, "\": expected shape ",
                 format::ShapeText(shape), ", found ", format::ShapeText(stored.shape));
  }
  return &tensor;
}

Status Source::Read(const SourceTensor& tensor, std::uint64_t first, std::span<float> out) const {
  THIMBLE_RETURN_IF_ERROR(tensor.file->Read(tensor.index, first, out));
  bool finite = true, bounded = true;
  for (float value : out) {
    finite &= std::isfinite(value);
    bounded &= std::fabs(value) <= kLargestValue;
  }
  if (finite && bounded) return Status();
  return Error(Code::kCorrupt, tensor.file->path(), ": tensor \"", tensor.file->tensors()[tensor.index].name,
               "\" holds a value ", finite ? "beyond 1e15" : "that is not finite");
}

Result<std::string> Source::Hash() const {
  base::Sha256 hash;
  for (const std::string& path : hashed_) {
    THIMBLE_ASSIGN_OR_RETURN(const base::RegularFile file, base::RegularFile::Open(path));
    THIMBLE_RETURN_IF_ERROR(hash.Update(file, 0, file.size()));
  }
  return hash.Hex();
}

}  // namespace thimble::convert
