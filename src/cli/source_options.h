// Where the texts of a command come from.

#ifndef THIMBLE_CLI_SOURCE_OPTIONS_H_
#define THIMBLE_CLI_SOURCE_OPTIONS_H_

#include <string>
#include <vector>

#include "thimble/status.h"

namespace thimble::cli {

class Arguments;

// TEXT... -i FILE --field NAME.
struct SourceOptions {
  std::vector<std::string> texts;
  std::string input;  // Empty when not given.
  std::string field = "text";

  void AddTo(Arguments& arguments);
  // kInvalidArgument when neither texts nor an input are given, or both.
  Status Check() const;
};

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_SOURCE_OPTIONS_H_
