// Classes with a WordPiece and the normaliser and pre-tokenizer of BERT: BertTokenizer and its relatives,
// MPNetTokenizer.

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "convert/tokenizer_class.h"
#include "convert/tokenizer_kind.h"
#include "convert/tokenizer_normalizer.h"
#include "text/utf8.h"

namespace thimble::convert {
namespace {

using Json = json::Value;

constexpr std::string_view kBertNames[] = {
    "BertTokenizer",   "DistilBertTokenizer", "ElectraTokenizer",     "MobileBertTokenizer",
    "LxmertTokenizer", "LayoutLMTokenizer",   "SqueezeBertTokenizer",
};
constexpr DefaultToken kBertSpecial[] = {{"unk_token", "[UNK]"},
                                         {"sep_token", "[SEP]"},
                                         {"pad_token", "[PAD]"},
                                         {"cls_token", "[CLS]"},
                                         {"mask_token", "[MASK]"}};
constexpr std::string_view kMpnetNames[] = {"MPNetTokenizer"};
constexpr std::string_view kMpnetTypes[] = {"mpnet"};
constexpr DefaultToken kMpnetSpecial[] = {{"bos_token", "<s>"},          {"eos_token", "</s>"},  {"unk_token", "[UNK]"},
                                          {"sep_token", "</s>"},         {"pad_token", "<pad>"}, {"cls_token", "<s>"},
                                          {"mask_token", "<mask>", true}};
constexpr std::string_view kFiles[] = {"vocab.txt"};

// A vocab.txt: one piece a line, without white space behind it; of equal ones the last counts.
Result<Vocabulary> ReadLines(std::span<const VocabularyFile> files, const SpecialTokens&) {
  std::string_view text = files[0].contents;
  const std::string& path = files[0].path;
  constexpr std::size_t kMaxLines = std::size_t{kMaxId} + 1;
  std::map<std::string_view, std::size_t> lines;
  for (std::size_t line = 0; !text.empty(); ++line) {
    if (line == kMaxLines) return Error(Code::kUnsupported, path, ": more than ", kMaxLines, " lines");
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::size_t length = 0;
    const std::uint8_t* begin = reinterpret_cast<const std::uint8_t*>(text.data());
    for (const std::uint8_t* next = begin; next != begin + end;) {
      const std::uint8_t* character = next;
      const std::uint32_t code_point = text::DecodeUtf8(next, begin + end);
      if (code_point == text::kReplacementCharacter && (next - character != 3 || *character != 0xEF)) {
        return Error(Code::kCorrupt, path, ": line ", line + 1, " is not UTF-8");
      }
      if (!IsWhiteSpace(code_point)) length = static_cast<std::size_t>(next - begin);
    }
    lines[text.substr(0, length)] = line;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  json::Object pieces;
  for (const auto& [piece, line] : lines) pieces.Append(std::string(piece)) = line;
  json::Object model = {{"type", "WordPiece"}};
  model["vocab"] = std::move(pieces);
  Vocabulary vocabulary;
  vocabulary.root["model"] = std::move(model);
  return vocabulary;
}

Status BuildBert(const FolderSettings& settings, const SpecialTokens& special, json::Object& root) {
  bool lowercase = true, chinese = true;
  THIMBLE_RETURN_IF_ERROR(settings.ReadBoolean("do_lower_case", lowercase));
  THIMBLE_RETURN_IF_ERROR(settings.ReadBoolean("tokenize_chinese_chars", chinese));
  json::Object normalizer = {{"type", "BertNormalizer"},
                             {"clean_text", true},
                             {"handle_chinese_chars", chinese},
                             {"strip_accents", nullptr},
                             {"lowercase", lowercase}};
  const Json* strip = settings.Find("strip_accents");
  if (strip != nullptr && !strip->is_null()) {
    bool strips = false;
    THIMBLE_RETURN_IF_ERROR(settings.ReadBoolean("strip_accents", strips));
    normalizer["strip_accents"] = strips;
  }
  root["normalizer"] = std::move(normalizer);
  root["pre_tokenizer"] = json::Object{{"type", "BertPreTokenizer"}};
  if (Json& model = root["model"]; model.is_object()) {
    model.object()["unk_token"] = ContentOf(special, "unk_token");
    model.object()["continuing_subword_prefix"] = "##";
    model.object()["max_input_chars_per_word"] = 100;
  }
  return Status();
}

}  // namespace

constinit const TokenizerClass kBertClass = {.names = kBertNames,
                                             .model_types = {},
                                             .kind = "WordPiece",
                                             .special = kBertSpecial,
                                             .extra = {},
                                             .first = "cls_token",
                                             .last = "sep_token",
                                             .around = Around::kBert,
                                             .files = kFiles,
                                             .read = ReadLines,
                                             .build = BuildBert};
constinit const TokenizerClass kMpnetClass = {.names = kMpnetNames,
                                              .model_types = kMpnetTypes,
                                              .kind = "WordPiece",
                                              .special = kMpnetSpecial,
                                              .extra = {},
                                              .first = "cls_token",
                                              .last = "sep_token",
                                              .around = Around::kRoberta,
                                              .files = kFiles,
                                              .read = ReadLines,
                                              .build = BuildBert};

}  // namespace thimble::convert
