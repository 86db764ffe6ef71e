// Which file is open, and refusing to write what is read.

#include "base/regular_file.h"

#include "base/error.h"

namespace thimble::base {

std::optional<FileIdentity> IdentityOfHandle(std::intptr_t handle) {
  const std::optional<OpenFile> file = Describe(handle);
  return file && file->regular ? std::optional(FileIdentity{file->device, file->stamp.number}) : std::nullopt;
}

Status CheckOutput(const std::string& output, const std::optional<FileIdentity>& identity,
                   std::span<const InputFile> inputs) {
  if (!identity) return Status();
  for (const InputFile& input : inputs) {
    if (input.identity != identity) continue;
    return Error(Code::kInvalidArgument, output, ": cannot write to a file that is also read",
                 output == input.name ? std::string() : " as " + input.name, "; choose another output");
  }
  return Status();
}

}  // namespace thimble::base
