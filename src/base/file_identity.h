// Whether two paths, links included, lead to one file.

#ifndef THIMBLE_BASE_FILE_IDENTITY_H_
#define THIMBLE_BASE_FILE_IDENTITY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "thimble/status.h"

namespace thimble::inline v0_1 {

struct FileIdentity {
  std::uint64_t volume = 0;
  std::uint64_t number = 0;  // Of the file on its volume.
  bool operator==(const FileIdentity&) const = default;
};

// Of the regular file behind a path or an open handle (see RegularFile::handle()); nullopt for anything else.
std::optional<FileIdentity> IdentityOf(const std::string& path);
std::optional<FileIdentity> IdentityOfHandle(std::intptr_t handle);

// A file that is read.
struct InputFile {
  std::string name;  // For messages.
  std::optional<FileIdentity> identity;
};
inline InputFile InputFileAt(const std::string& path) { return {path, IdentityOf(path)}; }

// kInvalidArgument, naming both, if the file that `output` names is one of `inputs`: writing it would destroy what is
// read.
Status CheckOutput(const std::string& output, const std::optional<FileIdentity>& identity,
                   std::span<const InputFile> inputs);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_FILE_IDENTITY_H_
