// Refusing to write what is read.

#include "base/file_identity.h"

#include "base/error.h"

namespace thimble::inline v0_1 {

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

}  // namespace thimble::inline v0_1
