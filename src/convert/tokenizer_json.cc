// The parts of a tokenizer.json that are the same for all kinds, one function for each.

#include "convert/tokenizer_json.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "text/tables.h"

namespace thimble::convert {
namespace {

using Json = json::Value;

class Parser : PartReader {
 public:
  Parser(const Json& root, const std::string& path) : PartReader(path), root_(root) {}

  Result<TokenizerConfig> Parse() {
    THIMBLE_RETURN_IF_ERROR(ReadModel());
    THIMBLE_RETURN_IF_ERROR(ReadAddedTokens());
    THIMBLE_RETURN_IF_ERROR(config_.kind->ReadRules(root_));
    THIMBLE_RETURN_IF_ERROR(ReadPostProcessor());
    THIMBLE_RETURN_IF_ERROR(ReadTruncation());
    config_.vocabulary = ids_->end();
    return std::move(config_);
  }

 private:
  Status ReadModel() {
    const Json* model = root_.FindSet("model");
    if (model == nullptr || !model->is_object()) return Corrupt("model is not an object");
    THIMBLE_ASSIGN_OR_RETURN(config_.kind, MakeKindReader(*model, path_));
    THIMBLE_ASSIGN_OR_RETURN(num_entries_, config_.kind->CountEntries(*model));
    const Json* added = root_.FindSet("added_tokens");
    const std::size_t num_added = added == nullptr || !added->is_array() ? 0 : added->array().size();
    ids_.emplace(num_entries_ + num_added, path_);
    return config_.kind->ReadModel(*model, *ids_);
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
      config_.added.push_back(std::move(token));
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
      if (members->array().size() != 1) {
        return Unsupported("post_processor is a Sequence of ", members->array().size(), ", only one is supported");
      }
      part = &members->array()[0];
      THIMBLE_RETURN_IF_ERROR(ReadString(*part, "post_processor", "type", type));
    }
    // For one text, Roberta's differs from BERT's in offsets only.
    if (type == "BertProcessing" || type == "RobertaProcessing") {
      THIMBLE_RETURN_IF_ERROR(ReadPair(*part, "cls", config_.prefix));
      return ReadPair(*part, "sep", config_.suffix);
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
        THIMBLE_RETURN_IF_ERROR(AddSpecial(id, seen_text ? config_.suffix : config_.prefix));
      }
    }
    if (!seen_text) return Unsupported("post_processor.single leaves out the text");
    return Status();
  }

  Status ReadTruncation() {
    const Json* truncation = root_.FindSet("truncation");
    if (truncation == nullptr) return Status();
    const Json* direction = truncation->FindSet("direction");
    if (direction != nullptr && !direction->Is("Right") && !direction->Is("Left")) {
      return Corrupt("truncation.direction is not \"Right\" or \"Left\"");
    }
    config_.truncates_left = direction != nullptr && direction->Is("Left");
    const Json* length = truncation->FindSet("max_length");
    if (length == nullptr) return Status();
    if (!length->is_unsigned() || length->integer() == 0) {
      return Corrupt("truncation.max_length is not an integer above 0");
    }
    config_.max_length = length->integer();
    return Status();
  }

  const Json& root_;
  TokenizerConfig config_;
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
  // Early files do not name the type; WordPiece is the one with a prefix and a longest word.
  const bool early = model.Find("type") == nullptr && model.Find("continuing_subword_prefix") != nullptr &&
                     model.Find("max_input_chars_per_word") != nullptr;
  const Json* stated = model.FindSet("type");
  if (!early && (stated == nullptr || !stated->is_string())) {
    return Error(Code::kCorrupt, path, ": model.type is not a string");
  }
  const std::string type = early ? std::string(text::WordPiece::kName) : stated->string();
  std::string expected;
#define THIMBLE_MAKE_READER(Name)                                 \
  if (type == text::Name::kName) return Make##Name##Reader(path); \
  expected += (expected.empty() ? "\"" : ", \"") + std::string(text::Name::kName) + "\"";
  THIMBLE_TOKENIZER_KINDS(THIMBLE_MAKE_READER)
#undef THIMBLE_MAKE_READER
  return Error(Code::kUnsupported, path, ": model.type is \"", type, "\", expected ", expected);
}

Result<TokenizerConfig> ParseTokenizer(const Json& root, const std::string& path) {
  if (!root.is_object()) return Error(Code::kCorrupt, path, ": is not a JSON object");
  return Parser(root, path).Parse();
}

}  // namespace thimble::convert
