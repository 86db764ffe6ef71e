// Reads the normalizer of a tokenizer.json as the steps of text/steps.h.

#ifndef THIMBLE_CONVERT_TOKENIZER_STEPS_H_
#define THIMBLE_CONVERT_TOKENIZER_STEPS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "convert/table_store.h"
#include "convert/tokenizer_kind.h"
#include "convert/tokenizer_normalizer.h"
#include "json/value.h"
#include "text/steps.h"
#include "thimble/status.h"

namespace thimble::convert {

class StepCompiler : PartReader {
 public:
  explicit StepCompiler(const std::string& path) : PartReader(path) {}

  // Reads `normalizer`. kCorrupt when it is malformed, kUnsupported, naming the part, for what no step does.
  Status Read(const json::Value& normalizer);
  Result<text::StepTables> Compile(TableStore& store) const;

 private:
  using Characters = std::vector<std::uint32_t>;
  struct ReadStep {
    text::Step::Kind kind;
    std::uint32_t flags = 0;
    Characters pattern, content;
  };

  Status ReadPart(const json::Value& part);
  Status ReadReplace(const json::Value& part);
  Status ReadRegex(const std::string& regex, const Characters& content);
  Status ReadCharsmap(const json::Value& part);
  // Adds a step of single characters, which all come one after the other.
  Status AddCharacters(const char* type, const NormalizerStep& step);
  Status EndCharacters();
  Status Add(ReadStep step);

  std::vector<ReadStep> steps_;
  TokenizerRules characters_;  // Of kCharacters.
  bool in_characters_ = false, had_characters_ = false;
  bool ordered_ = false, composed_ = false;  // What is still to be done behind a decomposition.
  std::optional<std::string> charsmap_;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_STEPS_H_
