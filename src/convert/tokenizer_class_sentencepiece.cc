// Classes with a Unigram of SentencePiece: XLMRobertaTokenizer and CamembertTokenizer.

#include <string>
#include <utility>

#include "base/base64.h"
#include "convert/sentencepiece_file.h"
#include "convert/tokenizer_class.h"

namespace thimble::convert {
namespace {

using Json = json::Value;

constexpr std::string_view kXlmRobertaNames[] = {"XLMRobertaTokenizer"};
constexpr std::string_view kXlmRobertaTypes[] = {"xlm-roberta"};
constexpr std::string_view kCamembertNames[] = {"CamembertTokenizer"};
constexpr std::string_view kCamembertTypes[] = {"camembert"};
constexpr DefaultToken kXlmRobertaSpecial[] = {{"bos_token", "<s>"},    {"eos_token", "</s>"},  {"unk_token", "<unk>"},
                                               {"sep_token", "</s>"},   {"pad_token", "<pad>"}, {"cls_token", "<s>"},
                                               {"mask_token", "<mask>"}};
constexpr DefaultToken kCamembertSpecial[] = {
    {"bos_token", "<s>"},   {"eos_token", "</s>"}, {"unk_token", "<unk>"},        {"sep_token", "</s>"},
    {"pad_token", "<pad>"}, {"cls_token", "<s>"},  {"mask_token", "<mask>", true}};
constexpr std::string_view kCamembertExtra[] = {"<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"};
constexpr std::string_view kSentencePieceFiles[] = {"sentencepiece.bpe.model"};
constexpr double kNeverChosen = -100;  // Score of CamemBERT's second unknown piece.

// The pieces of a file behind its first `left_out` ones, with those of fairseq around them.
Result<Vocabulary> ReadPieces(const VocabularyFile& file, const SpecialTokens& special, json::Array pieces,
                              std::size_t left_out) {
  THIMBLE_ASSIGN_OR_RETURN(const SentencePieceFile model, ReadSentencePiece(file.contents, file.path));
  if (!model.unigram) {
    return Error(Code::kUnsupported, file.path, ": is no Unigram model; only those are read from a SentencePiece file");
  }
  for (const char* role : {"pad_token", "mask_token"}) {
    if (!ContentOf(special, role).empty()) continue;
    return Error(Code::kUnsupported, file.path, ": needs a \"", role, "\", which the folder's settings set to null");
  }
  Vocabulary vocabulary;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePiece& piece = model.pieces[i];
    if (i >= left_out) pieces.push_back(json::Array{piece.text, static_cast<double>(piece.score)});
    const bool control = piece.type == SentencePiece::Type::kControl;
    if (!control && piece.type != SentencePiece::Type::kUserDefined) continue;
    if (piece.text.empty()) return Error(Code::kCorrupt, file.path, ": piece ", i, " is empty");
    vocabulary.extra.push_back({.content = piece.text, .special = control, .normalized = false});
  }
  pieces.push_back(json::Array{ContentOf(special, "mask_token"), 0.0});
  vocabulary.root["model"] = json::Object{{"type", "Unigram"}, {"vocab", std::move(pieces)}};
  if (!model.charsmap.empty()) {
    std::string charsmap;
    base::AppendBase64(std::as_bytes(std::span(model.charsmap)), charsmap);
    vocabulary.root["normalizer"] =
        json::Object{{"type", "Precompiled"}, {"precompiled_charsmap", std::move(charsmap)}};
  }
  return vocabulary;
}

Json Piece(std::string_view text, double score) { return json::Array{text, score}; }

Result<Vocabulary> ReadXlmRoberta(std::span<const VocabularyFile> files, const SpecialTokens& special) {
  json::Array pieces;
  for (const char* role : {"bos_token", "pad_token", "eos_token", "unk_token"}) {
    pieces.push_back(Piece(ContentOf(special, role), 0));
  }
  return ReadPieces(files[0], special, std::move(pieces), 3);
}

Result<Vocabulary> ReadCamembert(std::span<const VocabularyFile> files, const SpecialTokens& special) {
  json::Array pieces = {Piece("<s>NOTUSED", 0), Piece(ContentOf(special, "pad_token"), 0), Piece("</s>NOTUSED", 0),
                        Piece(ContentOf(special, "unk_token"), 0), Piece("<unk>NOTUSED", kNeverChosen)};
  return ReadPieces(files[0], special, std::move(pieces), 1);
}

// Leaves of a normaliser only its charsmap, the first where there are several.
Json CharsmapOf(const Json& normalizer) {
  const Json* parts = normalizer.Find("normalizers");
  const Json* type = normalizer.Find("type");
  const json::Array one = {normalizer};
  const bool sequence = type != nullptr && type->Is("Sequence") && parts != nullptr && parts->is_array();
  for (const Json& part : sequence ? parts->array() : one) {
    const Json* kind = part.Find("type");
    if (kind != nullptr && kind->Is("Precompiled") && part.Find("precompiled_charsmap") != nullptr) return part;
  }
  return nullptr;
}

// The parts that both classes have, with the number of the unknown piece.
Status BuildUnigram(const FolderSettings& settings, std::size_t unknown, json::Object& root) {
  bool prefix = true;
  THIMBLE_RETURN_IF_ERROR(settings.ReadBoolean("add_prefix_space", prefix));
  root["normalizer"] = CharsmapOf(root["normalizer"]);
  root["pre_tokenizer"] =
      json::Object{{"type", "Sequence"},
                   {"pretokenizers", json::Array{json::Object{{"type", "WhitespaceSplit"}},
                                                 json::Object{{"type", "Metaspace"},
                                                              {"replacement", "\xE2\x96\x81"},
                                                              {"prepend_scheme", prefix ? "always" : "never"},
                                                              {"split", true}}}}};
  if (Json& model = root["model"]; model.is_object()) {
    Json vocabulary = model.object()["vocab"];
    model = json::Object{
        {"type", "Unigram"}, {"unk_id", unknown}, {"vocab", std::move(vocabulary)}, {"byte_fallback", false}};
  }
  return Status();
}

Status BuildXlmRoberta(const FolderSettings& settings, const SpecialTokens&, json::Object& root) {
  constexpr std::size_t kUnknown = 3;
  return BuildUnigram(settings, kUnknown, root);
}

Status BuildCamembert(const FolderSettings& settings, const SpecialTokens& special, json::Object& root) {
  std::size_t unknown = 0;
  const Json* pieces = root["model"].Find("vocab");
  if (pieces != nullptr && pieces->is_array()) {
    for (std::size_t i = 0; i < pieces->array().size() && unknown == 0; ++i) {
      const Json& piece = pieces->array()[i];
      if (piece.is_array() && !piece.empty() && piece.array()[0].Is(ContentOf(special, "unk_token"))) unknown = i;
    }
  }
  return BuildUnigram(settings, unknown, root);
}

}  // namespace

constinit const TokenizerClass kXlmRobertaClass = {.names = kXlmRobertaNames,
                                                   .model_types = kXlmRobertaTypes,
                                                   .kind = "Unigram",
                                                   .special = kXlmRobertaSpecial,
                                                   .extra = {},
                                                   .first = "bos_token",
                                                   .last = "eos_token",
                                                   .around = Around::kTemplate,
                                                   .files = kSentencePieceFiles,
                                                   .read = ReadXlmRoberta,
                                                   .build = BuildXlmRoberta};
constinit const TokenizerClass kCamembertClass = {.names = kCamembertNames,
                                                  .model_types = kCamembertTypes,
                                                  .kind = "Unigram",
                                                  .special = kCamembertSpecial,
                                                  .extra = kCamembertExtra,
                                                  .first = "bos_token",
                                                  .last = "eos_token",
                                                  .around = Around::kTemplate,
                                                  .files = kSentencePieceFiles,
                                                  .read = ReadCamembert,
                                                  .build = BuildCamembert};

}  // namespace thimble::convert
