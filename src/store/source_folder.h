// Models made of folders that are given by their paths. A folder's model is looked for by path and by content: another
// folder of the same name, or a folder whose files have changed, never has it.
//
//   FOLDER/.folders/KEY/record                            what was read of the folder
//   FOLDER/.folders/KEY/CONTENT/NAME-DTYPE.safetensors    what was made of it
//
// KEY is a hash of the folder's path, CONTENT one of the record's files, NAME the last component of the path.

#ifndef THIMBLE_STORE_SOURCE_FOLDER_H_
#define THIMBLE_STORE_SOURCE_FOLDER_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/regular_file.h"
#include "thimble/cache.h"
#include "thimble/status.h"

namespace thimble::store {

// A file that a conversion read, or looked for in vain.
struct SourceFile {
  std::string name;  // Relative to the folder.
  bool there = false;
  base::FileStamp stamp;
  std::string sha256;
};

struct SourceRecord {
  std::string path;  // Of the folder, absolute, without links in it.
  std::vector<SourceFile> files;

  // Identifies what a conversion by this version of thimble makes of it: 64 hexadecimal digits.
  std::string Content() const;
  // As it is kept.
  std::string Text() const;
  // Whether the files are as they were; reads those of another stamp.
  bool Holds() const;
};

// The absolute path of a folder. kNotFound when there is none, kInvalidArgument when it is something else.
Result<std::string> CanonicalFolder(const std::string& path);

// Reads the files `names`, those that are there. `path` is canonical. kIo when one cannot be read.
Result<SourceRecord> MakeRecord(const std::string& path, const std::vector<std::string>& names);

// Whether a canonical folder is in the layout of Hugging Face: it has a config.json or modules.json.
bool IsSource(const std::string& path);
// What a folder holds, for messages: "config.json, onnx/, README.md".
std::string ContentsOf(const std::string& path);

// The model file that a folder given by its path opens: made of it, or one that lies in it where it is no Hugging Face
// folder. kNotFound, with the command that makes it or what the folder holds; kInvalidArgument where several models lie
// in it.
Result<std::string> FindInFolder(const std::string& path, std::string_view dtype, const std::string& folder);

// Where the model of a folder is put.
std::string ConvertedPath(const SourceRecord& record, std::string_view dtype, const std::string& folder);
// The name that a folder's model has.
std::string NameOfFolder(const std::string& path);
// Where the record of a canonical folder is kept.
std::string RecordPath(const std::string& path, const std::string& folder);
// Removes models of the record's folder that were made of other content.
void RemoveOutdated(const SourceRecord& record, const std::string& folder);

// Adds the models made of folders, whose names are the folders' paths.
void ListConverted(const std::string& folder, std::vector<NamedModel>& models);
// Removes those of one folder, which need not be there any more; all dtypes if it is empty.
Result<std::vector<NamedModel>> RemoveConverted(const std::string& path, std::string_view dtype,
                                                const std::string& folder);

}  // namespace thimble::store

#endif  // THIMBLE_STORE_SOURCE_FOLDER_H_
