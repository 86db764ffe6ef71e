// Which step each part of a normalizer is.

#include "convert/tokenizer_steps.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/base64.h"
#include "convert/tokenizer_charsmap.h"
#include "text/utf8.h"

namespace thimble::convert {
namespace {

using Json = json::Value;
using CharacterKind = NormalizerStep::Kind;
using text::Step;

// Regular expressions that are a run of spaces.
struct SpaceRegex {
  std::string_view regex;
  std::uint32_t flags;
  std::vector<std::uint32_t> alone;  // Those of which one is enough.
};
const SpaceRegex kSpaceRegexes[] = {
    {" +", 0, {}},
    {" {2,}", Step::kTwo, {}},
    {"\\s+", Step::kWhiteSpace, {}},
    {"\\s{2,}", Step::kWhiteSpace | Step::kTwo, {}},
    {"\\s{2,}|[\\n\\r\\t]", Step::kWhiteSpace | Step::kTwo, {'\n', '\r', '\t'}},
};

std::vector<std::uint32_t> CharactersOf(std::string_view text) {
  std::vector<std::uint32_t> characters;
  const std::uint8_t* next = reinterpret_cast<const std::uint8_t*>(text.data());
  const std::uint8_t* end = next + text.size();
  while (next != end) characters.push_back(text::DecodeUtf8(next, end));
  return characters;
}

// What Nmt removes and what it makes a space.
const std::vector<NormalizerStep>& NmtSteps() {
  static const auto* steps = [] {
    auto* list = new std::vector<NormalizerStep>;
    const auto add = [list](std::uint32_t first, std::uint32_t last, std::vector<std::uint32_t> to) {
      for (std::uint32_t c = first; c <= last; ++c) list->push_back({CharacterKind::kReplace, c, to});
    };
    for (const auto& [first, last] :
         {std::pair{0x01u, 0x08u}, {0x0Bu, 0x0Bu}, {0x0Eu, 0x1Fu}, {0x7Fu, 0x7Fu}, {0x8Fu, 0x8Fu}, {0x9Fu, 0x9Fu}}) {
      add(first, last, {});
    }
    for (const auto& [first, last] : {std::pair{0x09u, 0x0Au},
                                      {0x0Cu, 0x0Du},
                                      {0x1680u, 0x1680u},
                                      {0x200Bu, 0x200Fu},
                                      {0x2028u, 0x2029u},
                                      {0x2581u, 0x2581u},
                                      {0xFEFFu, 0xFEFFu},
                                      {0xFFFDu, 0xFFFDu}}) {
      add(first, last, {' '});
    }
    return list;
  }();
  return *steps;
}

// The pairs of characters that a composition joins, packed as text::StepTables has them. Hangul is left out.
std::vector<std::uint64_t> Compositions() {
  std::vector<std::uint64_t> pairs;
  for (const auto& [first, second, composed] : CompositionPairs()) {
    pairs.push_back(std::uint64_t{first} << 42 | std::uint64_t{second} << 21 | composed);
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

}  // namespace

Status StepCompiler::Read(const Json& normalizer) {
  THIMBLE_RETURN_IF_ERROR(ReadPart(normalizer));
  return EndCharacters();
}

Status StepCompiler::ReadPart(const Json& part) {
  std::string type;
  THIMBLE_RETURN_IF_ERROR(ReadString(part, "normalizer", "type", type));
  if (type == "Sequence") {
    THIMBLE_ASSIGN_OR_RETURN(const Json* members, ReadArray(part, "normalizer", "normalizers"));
    for (const Json& member : members->array()) THIMBLE_RETURN_IF_ERROR(ReadPart(member));
    return Status();
  }
  if (type == "Precompiled") return ReadCharsmap(part);
  if (type == "Replace") return ReadReplace(part);
  if (type == "Strip") {
    bool left, right;
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(part, "normalizer", "strip_left", true, left));
    THIMBLE_RETURN_IF_ERROR(ReadBoolean(part, "normalizer", "strip_right", true, right));
    if (!left && !right) return Status();
    return Add({Step::Kind::kTrim, Step::kWhiteSpace | (left ? Step::kLeft : 0) | (right ? Step::kRight : 0), {}, {}});
  }
  if (type == "Prepend") {
    std::string prepend;
    THIMBLE_RETURN_IF_ERROR(ReadString(part, "normalizer", "prepend", prepend));
    if (prepend.empty()) return Status();
    return Add({Step::Kind::kPrefix, 0, {}, CharactersOf(prepend)});
  }
  if (type == "Lowercase") return AddCharacters("Lowercase", {CharacterKind::kLowercase, 0, {}});
  if (type == "StripAccents") return AddCharacters("StripAccents", {CharacterKind::kDropMarks, 0, {}});
  if (type == "Nmt") {
    for (const NormalizerStep& step : NmtSteps()) THIMBLE_RETURN_IF_ERROR(AddCharacters("Nmt", step));
    return Status();
  }
  const bool compatibly = type == "NFKC" || type == "NFKD";
  if (compatibly || type == "NFC" || type == "NFD") {
    // A decomposition undoes a composition before it.
    const bool ordered = std::exchange(ordered_, false);
    composed_ = false;
    const auto kind = compatibly ? CharacterKind::kDecomposeCompatibly : CharacterKind::kDecompose;
    if (ordered && !characters_.steps.empty() && characters_.steps.back().kind == CharacterKind::kReplace) {
      return Unsupported("normalizer has Nmt between two decompositions");
    }
    THIMBLE_RETURN_IF_ERROR(AddCharacters(type.c_str(), {kind, 0, {}}));
    ordered_ = true;
    composed_ = type == "NFC" || type == "NFKC";
    return Status();
  }
  return Unsupported(
      "normalizer.type is \"", type,
      "\", expected Precompiled, Replace, Strip, Prepend, Lowercase, StripAccents, Nmt, NFC, NFD, NFKC, ",
      "NFKD or a Sequence of them");
}

Status StepCompiler::ReadReplace(const Json& part) {
  const Json* pattern = part.FindSet("pattern");
  const Json* to = part.FindSet("content");
  if (pattern == nullptr || to == nullptr || !to->is_string()) return Corrupt("normalizer: Replace is malformed");
  const Characters content = CharactersOf(to->string());
  if (const Json* regex = pattern->FindSet("Regex"); regex != nullptr && regex->is_string()) {
    return ReadRegex(regex->string(), content);
  }
  const Json* from = pattern->FindSet("String");
  if (from == nullptr || !from->is_string()) return Corrupt("normalizer: Replace is malformed");
  const Characters characters = CharactersOf(from->string());
  if (characters.empty() || characters.size() > text::kMaxPattern) {
    return Unsupported("normalizer replaces \"", from->string(), "\", expected 1 to ", text::kMaxPattern,
                       " characters");
  }
  return Add({Step::Kind::kReplace, 0, characters, content});
}

Status StepCompiler::ReadRegex(const std::string& regex, const Characters& content) {
  for (const SpaceRegex& space : kSpaceRegexes) {
    if (regex == space.regex) return Add({Step::Kind::kCollapse, space.flags, space.alone, content});
  }
  if (regex == "\\n" || regex == "\n") return Add({Step::Kind::kReplace, 0, {'\n'}, content});
  if (regex == "\\A +| +\\z" && content.empty()) return Add({Step::Kind::kTrim, Step::kLeft | Step::kRight, {}, {}});
  constexpr std::string_view kStart = "\\A";
  if (regex.starts_with(kStart)) {
    const Characters first = CharactersOf(std::string_view(regex).substr(kStart.size()));
    // Characters that have no meaning in a regular expression.
    if (first.size() == 1 && first[0] > 0x7F && !content.empty() && content.back() == first[0]) {
      return Add({Step::Kind::kPrefix, 0, first, {content.begin(), content.end() - 1}});
    }
  }
  return Unsupported("normalizer replaces the regular expression \"", regex, "\", expected \" {2,}\" or similar");
}

Status StepCompiler::ReadCharsmap(const Json& part) {
  if (charsmap_) return Unsupported("normalizer has Precompiled twice");
  std::string text;
  THIMBLE_RETURN_IF_ERROR(ReadString(part, "normalizer", "precompiled_charsmap", text));
  charsmap_ = base::FromBase64(text);
  if (!charsmap_) return Corrupt("normalizer.precompiled_charsmap is not base64");
  return Add({Step::Kind::kCharsmap, 0, {}, {}});
}

Status StepCompiler::AddCharacters(const char* type, const NormalizerStep& step) {
  if (composed_) return Unsupported("normalizer has ", type, " behind NFC or NFKC");
  if (!in_characters_) {
    if (had_characters_)
      return Unsupported("normalizer has ", type, " apart from others that change single characters");
    THIMBLE_RETURN_IF_ERROR(Add({Step::Kind::kCharacters, 0, {}, {}}));
    in_characters_ = had_characters_ = true;
  }
  // Of the marks that move, none is left.
  if (step.kind == CharacterKind::kDropMarks) ordered_ = false;
  characters_.steps.push_back(step);
  return Status();
}

Status StepCompiler::EndCharacters() {
  in_characters_ = false;
  if (!ordered_) return Status();
  ordered_ = false;
  const bool composes = std::exchange(composed_, false);
  return Add({Step::Kind::kCompose, composes ? Step::kComposes : 0, {}, {}});
}

Status StepCompiler::Add(ReadStep step) {
  if (in_characters_) THIMBLE_RETURN_IF_ERROR(EndCharacters());
  if (steps_.size() == text::kMaxSteps) {
    return Unsupported("normalizer has more than ", text::kMaxSteps, " steps");
  }
  steps_.push_back(std::move(step));
  return Status();
}

Result<text::StepTables> StepCompiler::Compile(TableStore& store) const {
  text::StepTables tables;
  if (steps_.empty()) return tables;
  std::vector<std::uint32_t> code;
  for (const ReadStep& step : steps_) {
    code.insert(code.end(),
                {static_cast<std::uint32_t>(step.kind), step.flags, static_cast<std::uint32_t>(step.pattern.size()),
                 static_cast<std::uint32_t>(step.content.size())});
    code.insert(code.end(), step.pattern.begin(), step.pattern.end());
    code.insert(code.end(), step.content.begin(), step.content.end());
    if ((step.flags & text::Step::kComposes) != 0) {
      std::vector<std::uint64_t> pairs = Compositions();
      tables.pairs = static_cast<std::uint32_t>(pairs.size());
      tables.compositions = store.Keep(std::move(pairs));
    }
  }
  tables.words = static_cast<std::uint32_t>(code.size());
  tables.code = store.Keep(std::move(code));
  if (had_characters_) {
    Result<text::NormalizerTables> characters = NormalizerCompiler(characters_).Compile(store);
    if (!characters.ok()) return Unsupported("normalizer: ", characters.status().message());
    tables.characters = *characters;
  }
  if (charsmap_) {
    Result<text::CharsmapTables> charsmap = CompileCharsmap(*charsmap_, store);
    if (!charsmap.ok()) {
      return Error(charsmap.status().code(), path_, ": normalizer.precompiled_charsmap ", charsmap.status().message());
    }
    tables.charsmap = *charsmap;
  }
  return tables;
}

}  // namespace thimble::convert
