// What a caller names a model by: [ORGANISATION/]NAME[@REVISION], a path, or a mock.

#ifndef THIMBLE_STORE_NAME_H_
#define THIMBLE_STORE_NAME_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "thimble/status.h"

namespace thimble::store {

struct ModelName {
  std::string organisation;  // Empty for a bare name.
  std::string name;
  std::string revision;  // Empty for main.

  // [ORGANISATION/]NAME.
  std::string Repository() const;
  // The whole name.
  std::string Text() const;
};

// Whether `model` names an engine that opens no files: "mock" or "mock-hashed".
bool IsMockName(std::string_view model);
// Whether it is a mock or the path of a model file, which ends in .safetensors.
bool IsFileOrMock(std::string_view model);
// Whether it is written as a path: it begins with a slash, "./" or "../" (on Windows with backslashes, too, or a
// drive).
bool IsWrittenAsPath(std::string_view model);

// `revision` is that of a name without one; main is the same as none. kInvalidArgument for an impossible name or
// revision, and for two different revisions.
Result<ModelName> ParseName(std::string_view model, std::string_view revision = {});

// Names of models and organisations compare so, as on the hub.
bool SameWithoutCase(std::string_view a, std::string_view b);
// Whether text has `digits` hexadecimal digits in lower case and nothing else.
bool IsHex(std::string_view text, std::size_t digits);
// Whether a revision is a commit and not a branch or tag.
inline bool IsCommit(std::string_view revision) { return IsHex(revision, 40); }

// A text as a part of a file's name, different texts as different parts on file systems that ignore case: other bytes
// than small letters, digits, "_", "-" and "." become %XX.
std::string Escaped(std::string_view text);
// nullopt for what Escaped() does not make.
std::optional<std::string> Unescaped(std::string_view part);

// One word of a shell.
std::string Quoted(const std::string& text);

}  // namespace thimble::store

#endif  // THIMBLE_STORE_NAME_H_
