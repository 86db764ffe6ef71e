// Files by their path, and copied into private memory.

#include "base/file_map.h"

#include <cstring>

#include "base/error.h"

namespace thimble::base {

Result<FileMap> FileMap::Open(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(RegularFile file, RegularFile::Open(path));
  return Of(std::move(file));
}

Result<FileMap> FileMap::CopyOf(RegularFile file) {
  const std::string path = file.path();
  if (file.size() == 0) return Error(Code::kCorrupt, path, ": the file is empty");
  Result<Mapping> copy = Mapping::Create(file.size());
  if (!copy.ok()) {
    return Error(Code::kOutOfMemory, path, ": the system refused ", file.size(),
                 " bytes of memory for a copy; set `load` to map");
  }
  THIMBLE_RETURN_IF_ERROR(file.ReadAt(0, copy->bytes()));
  THIMBLE_ASSIGN_OR_RETURN(const FileStamp now, file.StampNow());
  if (now.WrittenSince(file.stamp())) {
    return Error(Code::kCorrupt, path, ": was changed while it was read; open it again when it is complete");
  }
  file.Close();
  const std::span<const std::byte> bytes = copy->bytes();
  FileMap map(std::move(file), bytes);
  map.copy_ = *std::move(copy);
  return map;
}

Status FileMap::ReadAt(std::uint64_t offset, std::span<std::byte> out) const {
  if (!is_copy()) return file_.ReadAt(offset, out);
  std::memcpy(out.data(), bytes_.data() + offset, out.size());
  return Status();
}

}  // namespace thimble::base
