// RobertaTokenizer: byte-level BPE.

#include <string>
#include <utility>

#include "convert/tokenizer_class.h"
#include "json/json_file.h"

namespace thimble::convert {
namespace {

using Json = json::Value;

constexpr std::string_view kRobertaNames[] = {"RobertaTokenizer"};
constexpr std::string_view kRobertaTypes[] = {"roberta", "roberta-prelayernorm"};
constexpr DefaultToken kRobertaSpecial[] = {{"bos_token", "<s>"},    {"eos_token", "</s>"},  {"unk_token", "<unk>"},
                                            {"sep_token", "</s>"},   {"pad_token", "<pad>"}, {"cls_token", "<s>"},
                                            {"mask_token", "<mask>"}};
constexpr std::string_view kRobertaFiles[] = {"vocab.json", "merges.txt"};

// A merges.txt: two parts a line, with one space between them; lines that begin with "#version" are comments.
Result<json::Array> ReadMerges(const VocabularyFile& file) {
  json::Array merges;
  std::string_view text = file.contents;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.ends_with('\r')) pair.remove_suffix(1);
    if (pair.starts_with("#version")) continue;
    const std::size_t space = pair.find(' ');
    if (space == std::string_view::npos || pair.find(' ', space + 1) != std::string_view::npos) {
      return Error(Code::kCorrupt, file.path, ": line ", line, ": expected two parts with a space between them");
    }
    merges.push_back(json::Array{std::string(pair.substr(0, space)), std::string(pair.substr(space + 1))});
  }
  return merges;
}

Result<Vocabulary> ReadVocabulary(std::span<const VocabularyFile> files, const SpecialTokens&) {
  THIMBLE_ASSIGN_OR_RETURN(json::JsonFile file, json::JsonFile::Parse(files[0].contents, files[0].path));
  if (!file.json().is_object()) return Error(Code::kCorrupt, files[0].path, ": expected a JSON object");
  THIMBLE_ASSIGN_OR_RETURN(json::Array merges, ReadMerges(files[1]));
  Vocabulary vocabulary;
  vocabulary.root["model"] = json::Object{{"type", "BPE"}, {"vocab", file.Take()}, {"merges", std::move(merges)}};
  return vocabulary;
}

Status BuildRoberta(const FolderSettings& settings, const SpecialTokens&, json::Object& root) {
  bool prefix = false;
  THIMBLE_RETURN_IF_ERROR(settings.ReadBoolean("add_prefix_space", prefix));
  root["normalizer"] = nullptr;
  root["pre_tokenizer"] =
      json::Object{{"type", "ByteLevel"}, {"add_prefix_space", prefix}, {"trim_offsets", true}, {"use_regex", true}};
  if (Json& model = root["model"]; model.is_object()) {
    json::Object kept = {{"type", "BPE"}};
    for (const char* key : {"vocab", "merges"}) {
      if (const Json* part = model.Find(key)) kept[key] = *part;
    }
    model = std::move(kept);
  }
  return Status();
}

}  // namespace

constinit const TokenizerClass kRobertaClass = {.names = kRobertaNames,
                                                .model_types = kRobertaTypes,
                                                .kind = "BPE",
                                                .special = kRobertaSpecial,
                                                .extra = {},
                                                .first = "cls_token",
                                                .last = "sep_token",
                                                .around = Around::kRoberta,
                                                .files = kRobertaFiles,
                                                .read = ReadVocabulary,
                                                .build = BuildRoberta};

}  // namespace thimble::convert
