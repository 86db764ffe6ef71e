// Reads the parts of a tokenizer.json that are the same for all kinds, one function for each, and puts the tables of a
// compiled tokenizer together.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "convert/tokenizer_folder.h"
#include "convert/tokenizer_kind.h"
#include "convert/tokenizer_normalizer.h"
#include "json/json_file.h"

namespace thimble::convert {
namespace {

using Json = json::Value;

// By what only models of one type have; empty where that is none.
std::string_view TypeOfEarlyModel(const Json& model) {
  if (model.Find("merges") != nullptr) return "BPE";
  if (model.Find("unk_id") != nullptr) return "Unigram";
  const bool prefix = model.Find("continuing_subword_prefix") != nullptr;
  if (prefix && model.Find("max_input_chars_per_word") != nullptr) return text::WordPiece::kName;
  return {};
}

class Compiler : PartReader {
 public:
  Compiler(const Json& root, const std::string& path) : PartReader(path), root_(root) {}

  Result<CompiledTokenizer> Run() {
    THIMBLE_RETURN_IF_ERROR(ReadModel());
    THIMBLE_RETURN_IF_ERROR(ReadAddedTokens());
    THIMBLE_RETURN_IF_ERROR(kind_->ReadRules(root_));
    THIMBLE_RETURN_IF_ERROR(ReadPostProcessor());
    THIMBLE_RETURN_IF_ERROR(ReadTruncation());
    compiled_.vocabulary = ids_->end();
    THIMBLE_ASSIGN_OR_RETURN(compiled_.kind, kind_->Compile(compiled_.store));
    THIMBLE_RETURN_IF_ERROR(CompileAddedTokens());
    compiled_.kind->around = {.prefix = compiled_.store.Keep(prefix_),
                              .suffix = compiled_.store.Keep(suffix_),
                              .prefix_count = static_cast<std::uint32_t>(prefix_.size()),
                              .suffix_count = static_cast<std::uint32_t>(suffix_.size()),
                              .truncate_left = truncates_left_ ? 1u : 0u,
                              .middle = {}};
    return std::move(compiled_);
  }

 private:
  Status ReadModel() {
    const Json* model = root_.FindSet("model");
    if (model == nullptr || !model->is_object()) return Corrupt("model is not an object");
    THIMBLE_ASSIGN_OR_RETURN(kind_, MakeKindReader(*model, path_));
    THIMBLE_ASSIGN_OR_RETURN(num_entries_, kind_->CountEntries(*model));
    const Json* added = root_.FindSet("added_tokens");
    const std::size_t num_added = added == nullptr || !added->is_array() ? 0 : added->array().size();
    ids_.emplace(num_entries_ + num_added, path_);
    return kind_->ReadModel(*model, *ids_);
  }

  Status ReadAddedTokens() {
    const Json* tokens = root_.FindSet("added_tokens");
    if (tokens == nullptr) return Status();
    if (!tokens->is_array()) return Corrupt("added_tokens is not an array");
    if (tokens->array().size() > text::kMaxAddedTokens) {
      return Unsupported("added_tokens has ", tokens->array().size(), " entries, at most ", text::kMaxAddedTokens);
    }
    // The id that the library gives to the next token that the vocabulary lacks.
    std::size_t next_id = num_entries_;
    std::unordered_set<std::string> listed;
    for (std::size_t i = 0; i < tokens->array().size(); ++i) {
      const std::string where = "added_tokens[" + std::to_string(i) + "]";
      const Json& entry = tokens->array()[i];
      AddedToken token;
      THIMBLE_RETURN_IF_ERROR(ReadString(entry, where, "content", token.content));
      const Json* id = entry.FindSet("id");
      if (id == nullptr) return Corrupt(where, ".id is missing");
      THIMBLE_RETURN_IF_ERROR(ReadId(*id, where + ".id", token.id));
      THIMBLE_RETURN_IF_ERROR(ReadBoolean(entry, where, "single_word", false, token.single_word));
      THIMBLE_RETURN_IF_ERROR(ReadBoolean(entry, where, "lstrip", false, token.strips_left));
      THIMBLE_RETURN_IF_ERROR(ReadBoolean(entry, where, "rstrip", false, token.strips_right));
      THIMBLE_RETURN_IF_ERROR(ReadBoolean(entry, where, "normalized", false, token.normalized));
      if (token.content.empty()) return Corrupt(where, ".content is empty");
      if (token.content.size() > text::kMaxPieceBytes) {
        return Unsupported(where, ".content is longer than ", text::kMaxPieceBytes, " bytes");
      }
      if (token.content.find("\xEF\xBF\xBD") != std::string::npos) {
        return Unsupported("added token \"", token.content, "\" contains U+FFFD");
      }

      const std::uint32_t* known = ids_->Find(token.content);
      const std::size_t expected = known != nullptr ? *known : next_id;
      if (token.id != expected) {
        return Corrupt("added token \"", token.content, "\" has id ", token.id, ", the vocabulary gives it ", expected);
      }
      if (known == nullptr) THIMBLE_RETURN_IF_ERROR(ids_->Take(token.content, token.id));
      next_id = std::max<std::size_t>(next_id, std::size_t{token.id} + 1);
      if (!listed.insert(token.content).second) return Corrupt("added token \"", token.content, "\" is listed twice");
      added_.push_back(std::move(token));
    }
    return Status();
  }

  Status ReadPostProcessor() {
    const Json* part = root_.FindSet("post_processor");
    if (part == nullptr) return Status();
    std::string type;
    THIMBLE_RETURN_IF_ERROR(ReadString(*part, "post_processor", "type", type));
    if (type == "Sequence") {
      THIMBLE_ASSIGN_OR_RETURN(const Json* members, ReadArray(*part, "post_processor", "processors"));
      part = nullptr;
      for (const Json& member : members->array()) {
        THIMBLE_RETURN_IF_ERROR(ReadString(member, "post_processor", "type", type));
        if (type == "ByteLevel") continue;
        if (part != nullptr) return Unsupported("post_processor is a Sequence of several, only one is supported");
        part = &member;
      }
      if (part == nullptr) return Status();
      THIMBLE_RETURN_IF_ERROR(ReadString(*part, "post_processor", "type", type));
    }
    // It acts on places only.
    if (type == "ByteLevel") return Status();
    // For one text, Roberta's differs from BERT's in offsets only.
    if (type == "BertProcessing" || type == "RobertaProcessing") {
      THIMBLE_RETURN_IF_ERROR(ReadPair(*part, "cls", prefix_));
      THIMBLE_RETURN_IF_ERROR(ReadPair(*part, "sep", suffix_));
      PairTemplate& pair = compiled_.pair;
      pair.middle = suffix_;
      if (type == "RobertaProcessing") pair.middle.insert(pair.middle.end(), suffix_.begin(), suffix_.end());
      pair.second_type = type == "BertProcessing";
      return Status();
    }
    if (type == "TemplateProcessing") return ReadTemplate(*part);
    return Unsupported("post_processor.type is \"", type, "\", expected \"TemplateProcessing\" or \"BertProcessing\"");
  }

  // [token, id].
  Status ReadPair(const Json& part, const char* key, std::vector<std::uint32_t>& ids) const {
    const Json* pair = part.FindSet(key);
    if (pair == nullptr || !pair->is_array() || pair->array().size() != 2) {
      return Corrupt("post_processor.", key, " is not a pair of token and id");
    }
    std::uint32_t id = 0;
    THIMBLE_RETURN_IF_ERROR(ReadId(pair->array()[1], std::string("post_processor.") + key + "[1]", id));
    return AddSpecial(id, ids);
  }

  Status AddSpecial(std::uint32_t id, std::vector<std::uint32_t>& ids) const {
    if (!ids_->Has(id)) return Corrupt("post_processor: id ", id, " is not in the vocabulary");
    if (ids.size() == text::kMaxSpecial) {
      return Unsupported("post_processor puts more than ", text::kMaxSpecial, " tokens on one side of a text");
    }
    ids.push_back(id);
    return Status();
  }

  Status ReadTemplate(const Json& part) {
    THIMBLE_ASSIGN_OR_RETURN(const Json* single, ReadArray(part, "post_processor", "single"));
    bool seen_text = false;
    for (std::size_t i = 0; i < single->array().size(); ++i) {
      const std::string where = "post_processor.single[" + std::to_string(i) + "]";
      const Json* sequence = single->array()[i].FindSet("Sequence");
      const Json* special = single->array()[i].FindSet("SpecialToken");
      std::string name;
      if (sequence != nullptr && special == nullptr) {
        THIMBLE_RETURN_IF_ERROR(ReadString(*sequence, where + ".Sequence", "id", name));
        if (name != "A" || seen_text) return Unsupported(where, " is sequence \"", name, "\", expected \"A\" once");
        seen_text = true;
        continue;
      }
      if (special == nullptr || sequence != nullptr) return Corrupt(where, " is not a Sequence or a SpecialToken");
      THIMBLE_RETURN_IF_ERROR(ReadString(*special, where + ".SpecialToken", "id", name));
      const Json* tokens = part.FindSet("special_tokens");
      const Json* token = tokens == nullptr ? nullptr : tokens->FindSet(name);
      const Json* ids = token == nullptr ? nullptr : token->FindSet("ids");
      if (ids == nullptr || !ids->is_array()) {
        return Corrupt("post_processor.special_tokens has no ids for \"", name, "\"");
      }
      for (const Json& value : ids->array()) {
        std::uint32_t id = 0;
        THIMBLE_RETURN_IF_ERROR(ReadId(value, "an id of \"" + name + "\" in post_processor.special_tokens", id));
        THIMBLE_RETURN_IF_ERROR(AddSpecial(id, seen_text ? suffix_ : prefix_));
      }
    }
    if (!seen_text) return Unsupported("post_processor.single leaves out the text");
    if (!ReadPairTemplate(part)) {
      compiled_.pair.problem =
          "post_processor.pair: expected what is around a single text around both, tokens between "
          "them, and the types 0 before the second text and 0 or 1 from it on";
    }
    return Status();
  }

  // False unless it is a pair that thimble runs.
  bool ReadPairTemplate(const Json& part) {
    const Json* items = part.FindSet("pair");
    if (items == nullptr || !items->is_array()) return false;
    PairTemplate& pair = compiled_.pair;
    std::vector<std::uint32_t> around[3];  // Before, between and behind the texts.
    std::size_t texts = 0;
    for (const Json& item : items->array()) {
      const Json *sequence = item.FindSet("Sequence"), *special = item.FindSet("SpecialToken");
      const Json* either = sequence != nullptr ? sequence : special;
      const Json* id = either == nullptr ? nullptr : either->FindSet("id");
      if (id == nullptr || !id->is_string()) return false;
      if (sequence != nullptr && !id->Is(texts == 0 ? "A" : texts == 1 ? "B" : "")) return false;
      if (sequence != nullptr) ++texts;
      const Json* type = either->FindSet("type_id");
      const std::uint64_t type_id = type != nullptr && type->is_unsigned() ? type->integer() : 0;
      if (sequence != nullptr && texts == 2) pair.second_type = type_id == 1;
      if (type_id != (texts == 2 && pair.second_type ? 1 : 0)) return false;
      if (sequence != nullptr) continue;
      const Json* tokens = part.FindSet("special_tokens");
      const Json* token = tokens == nullptr ? nullptr : tokens->FindSet(id->string());
      const Json* ids = token == nullptr ? nullptr : token->FindSet("ids");
      if (ids == nullptr || !ids->is_array()) return false;
      for (const Json& value : ids->array()) {
        std::uint32_t number = 0;
        if (!ReadId(value, "", number).ok() || !AddSpecial(number, around[texts]).ok()) return false;
      }
    }
    pair.middle = std::move(around[1]);
    return texts == 2 && around[0] == prefix_ && around[2] == suffix_ && !pair.middle.empty();
  }

  Status ReadTruncation() {
    const Json* truncation = root_.FindSet("truncation");
    if (truncation == nullptr) return Status();
    const Json* direction = truncation->FindSet("direction");
    if (direction != nullptr && !direction->Is("Right") && !direction->Is("Left")) {
      return Corrupt("truncation.direction is not \"Right\" or \"Left\"");
    }
    truncates_left_ = direction != nullptr && direction->Is("Left");
    const Json* length = truncation->FindSet("max_length");
    if (length == nullptr) return Status();
    if (!length->is_unsigned() || length->integer() == 0) {
      return Corrupt("truncation.max_length is not an integer above 0");
    }
    compiled_.max_length = length->integer();
    return Status();
  }

  Status CompileAddedTokens() {
    // Raw ones first, each kind by its bytes.
    std::vector<std::tuple<bool, std::string, std::uint32_t>> tokens;
    THIMBLE_ASSIGN_OR_RETURN(std::vector<std::string> texts, kind_->AddedTexts(added_));
    bool single_words = false;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const AddedToken& token = added_[i];
      single_words |= token.single_word;
      std::uint32_t flags = token.single_word ? text::kSingleWord : 0;
      if (kind_->keeps_spaces() && token.strips_left) flags |= text::kStripsLeft;
      if (kind_->keeps_spaces() && token.strips_right) flags |= text::kStripsRight;
      tokens.emplace_back(token.normalized && kind_->normalizes(), std::move(texts[i]), token.id | flags);
    }
    std::sort(tokens.begin(), tokens.end());
    text::AddedTables& tables = compiled_.kind->added;
    std::vector<std::uint8_t> bytes;
    std::vector<std::uint32_t> begin, ids;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto& [normalized, content, id] = tokens[i];
      if (i > 0 && std::get<0>(tokens[i - 1]) == normalized && std::get<1>(tokens[i - 1]) == content) {
        return Unsupported("two added tokens normalise to \"", content, "\"");
      }
      begin.push_back(static_cast<std::uint32_t>(bytes.size()));
      bytes.insert(bytes.end(), content.begin(), content.end());
      ids.push_back(id);
      if (!normalized) ++tables.raw;
      ++tables.count;
    }
    if (bytes.size() > text::kMaxAddedBytes) {
      return Unsupported("added_tokens have ", bytes.size(), " bytes, at most ", text::kMaxAddedBytes);
    }
    begin.push_back(static_cast<std::uint32_t>(bytes.size()));
    if (single_words) tables.word_chars = compiled_.store.Keep(WordCharBounds(), text::kNoCodePoint);
    tables.text = compiled_.store.Keep(std::move(bytes));
    tables.begin = compiled_.store.Keep(std::move(begin));
    tables.ids = compiled_.store.Keep(std::move(ids));
    return Status();
  }

  const Json& root_;
  CompiledTokenizer compiled_;
  std::unique_ptr<KindReader> kind_;            // Has read the parts of its own.
  std::vector<AddedToken> added_;               // Contents distinct and not empty.
  std::vector<std::uint32_t> prefix_, suffix_;  // Ids around a text.
  bool truncates_left_ = false;
  std::size_t num_entries_ = 0;  // Of the vocabulary.
  std::optional<TokenIds> ids_;
};

}  // namespace

Status TokenIds::Take(const std::string& token, std::uint32_t id) {
  if (id >= limit_) return Corrupt("id ", id, " of \"", token, "\" is far beyond the size of the vocabulary");
  if (id >= taken_.size()) taken_.resize(id + 1);
  if (taken_[id]) return Corrupt("id ", id, " belongs to \"", token, "\" and to another token");
  taken_[id] = true;
  ids_.emplace(token, id);
  return Status();
}

Result<std::unique_ptr<KindReader>> MakeKindReader(const Json& model, const std::string& path) {
  const Json* stated = model.FindSet("type");
  if (stated != nullptr ? !stated->is_string() : model.Find("type") != nullptr) {
    return Error(Code::kCorrupt, path, ": model.type is not a string");
  }
  // Early files do not name it.
  const std::string type = stated != nullptr ? stated->string() : std::string(TypeOfEarlyModel(model));
  if (type.empty()) return Error(Code::kCorrupt, path, ": model.type is not a string");
  std::string expected;
#define THIMBLE_MAKE_READER(Name)                                 \
  if (type == text::Name::kName) return Make##Name##Reader(path); \
  expected += (expected.empty() ? "\"" : ", \"") + std::string(text::Name::kName) + "\"";
  THIMBLE_TOKENIZER_KINDS(THIMBLE_MAKE_READER)
#undef THIMBLE_MAKE_READER
  return Error(Code::kUnsupported, path, ": model.type is \"", type, "\", expected ", expected);
}

Status TakePairs(bool token_types, const std::string& path, CompiledTokenizer* tokenizer) {
  const PairTemplate& pair = tokenizer->pair;
  if (!pair.problem.empty()) return Error(Code::kUnsupported, path, ": ", pair.problem);
  if (pair.middle.empty()) {
    return Error(Code::kUnsupported, path, ": post_processor puts no tokens between the texts of a pair");
  }
  text::TemplateTables& around = tokenizer->kind->around;
  around.middle = tokenizer->store.Keep(std::vector<std::uint32_t>(pair.middle));
  around.middle_count = static_cast<std::uint32_t>(pair.middle.size());
  around.second_type = token_types && pair.second_type ? 1 : 0;
  return Status();
}

Result<CompiledTokenizer> CompileTokenizer(std::string_view tokenizer_json, const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(const json::JsonFile file, json::JsonFile::Parse(tokenizer_json, path));
  return CompileParsedTokenizer(file.json(), path);
}

Result<CompiledTokenizer> CompileParsedTokenizer(const Json& root, const std::string& path) {
  if (!root.is_object()) return Error(Code::kCorrupt, path, ": is not a JSON object");
  return Compiler(root, path).Run();
}

}  // namespace thimble::convert
