// Which files of a Hugging Face folder a conversion reads, as names relative to it with slashes. `pull` fetches by the
// same choice. A module's folder is as modules.json writes it, "" for the folder itself.

#ifndef THIMBLE_CONVERT_FOLDER_FILES_H_
#define THIMBLE_CONVERT_FOLDER_FILES_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/status.h"

namespace thimble::convert {

// Whether the folder has a file of that relative name.
using HasFile = std::function<bool(const std::string&)>;

// `name` in a folder inside the Hugging Face folder.
std::string JoinName(std::string_view folder, std::string_view name);

// Whether a name from modules.json, an index or a listing leads to something inside the folder, on every system:
// relative, of at most kMaxNameDepth parts, none of them empty, "." or "..", no backslash, colon or control character.
inline constexpr std::size_t kMaxNameDepth = 8;
bool IsInside(std::string_view name);

// Where a Transformer module's weights may lie, best first: plain weights before exported graphs, finer before coarser.
std::vector<std::string> WeightCandidates(std::string_view module_folder);
// The first that is there; empty when none is.
std::string ChooseWeights(const HasFile& has, std::string_view module_folder);
// Whether those weights were rounded to 8 or 4 bits.
bool IsQuantized(std::string_view weights);

// The weights of a Dense or LayerNorm module; empty when there are none.
std::string ChooseHeadWeights(const HasFile& has, std::string_view module_folder);

// Whether the name is that of an index, a JSON file whose "weight_map" names the shards beside it.
bool IsWeightIndex(std::string_view name);
// Whether `name` is a file of external data of the ONNX file `onnx`: beside it, with its name at the beginning.
bool IsExternalDataOf(std::string_view onnx, std::string_view name);

// A folder here or on the hub.
struct FolderView {
  std::vector<std::string> names;                               // Of its files.
  HasFile has;                                                  // Whether there is one.
  std::function<Result<std::string>(const std::string&)> read;  // The text of one.
};
// Reads no file of more than kMaxConfigBytes. kIo when the folder cannot be read; it is not searched deeper than
// kMaxNameDepth, nor for more than 10,000 files.
Result<FolderView> ViewOf(const std::string& folder);

// Of a class, "sentence_transformers.models.Transformer" or what replaced it.
bool IsTransformer(std::string_view type);
inline constexpr std::string_view kKnownModules =
    "thimble runs Transformer, Pooling, Dense, LayerNorm, Normalize and Dropout";

struct ModuleFolders {
  std::string transformer;          // Of the Transformer module.
  std::vector<std::string> others;  // Of the modules behind it, in their order.
};

// What modules.json says; the folder itself alone without one. kCorrupt when it is malformed, names more than 32
// modules or a folder that is not inside; kUnsupported, naming the first, when none is a Transformer.
Result<ModuleFolders> ReadModuleFolders(const FolderView& view);

// The files but the weights, those that are there. kNotFound when there is no config.json or no tokenizer.
Result<std::vector<std::string>> ConfigurationFiles(const FolderView& view, const ModuleFolders& modules);

// The weights of all modules: files of tensors, shards behind their index, graphs with their external data. kNotFound
// when the Transformer module has none, kCorrupt for an index that is malformed, names more than 1000 shards, or one
// that is not inside or not there.
Result<std::vector<std::string>> WeightFiles(const FolderView& view, const ModuleFolders& modules);

// The files that a conversion of the folder reads, and those that it would rather have read. The errors of
// ReadModuleFolders, ConfigurationFiles and WeightFiles.
Result<std::vector<std::string>> FilesLookedFor(FolderView view);

// kInvalidArgument if `output` is a file of the folder `source` that a conversion reads, by whatever path or link, or
// would be one that the next conversion reads.
Status CheckNotRead(const std::string& source, const std::string& output);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_FOLDER_FILES_H_
