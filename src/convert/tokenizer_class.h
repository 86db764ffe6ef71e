// The classes of transformers that build a tokenizer anew, from a vocabulary and settings, whatever else tokenizer.json
// says.

#ifndef THIMBLE_CONVERT_TOKENIZER_CLASS_H_
#define THIMBLE_CONVERT_TOKENIZER_CLASS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "json/value.h"
#include "thimble/status.h"

namespace thimble::convert {

// The settings of a folder: tokenizer_config.json, at `path`, and what wins over it.
struct FolderSettings {
  template <typename... Parts>
  Status Corrupt(std::string_view key, const Parts&... parts) const {
    return Error(Code::kCorrupt, path, ": \"", key, "\": ", parts...);
  }
  template <typename... Parts>
  Status Unsupported(std::string_view key, const Parts&... parts) const {
    return Error(Code::kUnsupported, path, ": \"", key, "\": ", parts...);
  }
  // The value of a setting, or null when there is none.
  const json::Value* Find(std::string_view key) const { return values.Find(key); }
  Status ReadBoolean(const char* key, bool& value) const {
    const json::Value* setting = Find(key);
    if (setting == nullptr) return Status();
    if (!setting->is_boolean()) return Corrupt(key, "expected true or false");
    value = setting->boolean();
    return Status();
  }

  std::string path;
  json::Object values;
};

// A token as the library has it; what `normalized` is not said to be depends on `special`.
struct FolderToken {
  std::string content;
  bool special = false;
  bool single_word = false, lstrip = false, rstrip = false;
  std::optional<bool> normalized = std::nullopt;
};

// A special token where no file has it.
struct DefaultToken {
  std::string_view setting;
  std::string_view content;
  bool lstrip = false;  // Also of another one whose options no file has.
};

// A file of a vocabulary that is no tokenizer.json.
struct VocabularyFile {
  std::string contents;
  std::string path;
};

// What a class makes of such files.
struct Vocabulary {
  json::Object root;               // Parts of a tokenizer.json: the model, and what else the files say.
  std::vector<FolderToken> extra;  // Special tokens, unless a setting has some.
};

// Tokens with a role, by the names of their settings.
using SpecialTokens = std::map<std::string, FolderToken, std::less<>>;
// The token of a role, "" where there is none.
inline std::string_view ContentOf(const SpecialTokens& special, std::string_view setting) {
  const auto found = special.find(setting);
  return found == special.end() ? std::string_view() : found->second.content;
}

// What a class puts around texts.
enum class Around : std::uint8_t {
  kBert,      // A separator between the texts of a pair, which differ in type.
  kRoberta,   // Two separators, one type, as RobertaProcessing.
  kTemplate,  // The same as a TemplateProcessing.
};

struct TokenizerClass {
  std::span<const std::string_view> names;        // Without "Fast"; the first is for messages.
  std::span<const std::string_view> model_types;  // Of config.json, which mean the class where no file names one.
  std::string_view kind;                          // Type of the model that it builds.
  std::span<const DefaultToken> special;
  std::span<const std::string_view> extra;  // Special tokens without a role, unless a setting has some.
  // The settings of the tokens that are put before and behind a text.
  std::string_view first, last;
  Around around = Around::kBert;
  // Files of the vocabulary if there is no tokenizer.json, and what reads them, all of which are there.
  std::span<const std::string_view> files;
  Result<Vocabulary> (*read)(std::span<const VocabularyFile> files, const SpecialTokens& special);
  // Puts into `root`, a tokenizer.json, what the class does not take from it, but for added tokens and post_processor.
  Status (*build)(const FolderSettings& settings, const SpecialTokens& special, json::Object& root);
};

extern const TokenizerClass kBertClass, kMpnetClass, kRobertaClass, kXlmRobertaClass, kCamembertClass;
// All of them; the first is what a folder has that names no class and whose model type means none.
inline constexpr const TokenizerClass* kTokenizerClasses[] = {&kBertClass, &kMpnetClass, &kRobertaClass,
                                                              &kXlmRobertaClass, &kCamembertClass};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_CLASS_H_
