// Which files of a Hugging Face folder a conversion reads, as names relative to it with slashes. `pull` fetches by the
// same choice. A module's folder is as modules.json writes it, "" for the folder itself.

#ifndef THIMBLE_CONVERT_FOLDER_FILES_H_
#define THIMBLE_CONVERT_FOLDER_FILES_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

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

// The weights of a Dense or LayerNorm module; empty when there are none.
std::string ChooseHeadWeights(const HasFile& has, std::string_view module_folder);

// Whether the name is that of an index, a JSON file whose "weight_map" names the shards beside it.
bool IsWeightIndex(std::string_view name);
// Whether `name` is a file of external data of the ONNX file `onnx`: beside it, with its name at the beginning.
bool IsExternalDataOf(std::string_view onnx, std::string_view name);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_FOLDER_FILES_H_
