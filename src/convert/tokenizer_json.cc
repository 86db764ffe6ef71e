// Checked access to tokenizer.json, one function for each of its parts.

#include "convert/tokenizer_json.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "json/json_file.h"
#include "text/tables.h"

namespace thimble::convert {
namespace {

using Json = json::Value;

constexpr std::uint32_t kMaxId = (1u << 24) - 1;  // The tables keep 24 bits of an id.
constexpr std::size_t kMaxGap = 4096;             // Ids without a token that a vocabulary may have beside its own size.

class Parser {
 public:
  Parser(const Json& root, const std::string& path) : root_(root), path_(path) {}

  Result<TokenizerConfig> Parse() {
    THIMBLE_RETURN_IF_ERROR(ReadModel());
    THIMBLE_RETURN_IF_ERROR(ReadAddedTokens());
    THIMBLE_ASSIGN_OR_RETURN(config_.rules, ReadRules(root_, path_));
    THIMBLE_RETURN_IF_ERROR(ReadPostProcessor());
    THIMBLE_RETURN_IF_ERROR(ReadTruncation());
    return std::move(config_);
  }

 private:
  template <typename... Parts>
  Status Corrupt(const Parts&... parts) const {
    return Error(Code::kCorrupt, path_, ": ", parts...);
  }
  template <typename... Parts>
  Status Unsupported(const Parts&... parts) const {
    return Error(Code::kUnsupported, path_, ": ", parts...);
  }

  Status ReadString(const Json& object, std::string_view where, const char* key, std::string& value) const {
    const Json* member = object.FindSet(key);
    if (member == nullptr || !member->is_string()) return Corrupt(where, ".", key, " is not a string");
    value = member->string();
    return Status();
  }

  Status ReadBoolean(const Json& object, std::string_view where, const char* key, bool fallback, bool& value) const {
    const Json* member = object.FindSet(key);
    value = fallback;
    if (member == nullptr) return Status();
    if (!member->is_boolean()) return Corrupt(where, ".", key, " is not true or false");
    value = member->boolean();
    return Status();
  }

  // A whole number from 0 to `limit`.
  static bool GetNumber(const Json& value, std::uint64_t limit, std::uint32_t& number) {
    if (!value.is_unsigned()) return false;
    const std::uint64_t wide = value.integer();
    if (wide > limit) return false;
    number = static_cast<std::uint32_t>(wide);
    return true;
  }

  Status ReadId(const Json& value, std::string_view where, std::uint32_t& id) const {
    if (!GetNumber(value, kMaxId, id)) return Corrupt(where, " is not a whole number from 0 to ", kMaxId);
    return Status();
  }

  Status ReadModel() {
    const Json* model = root_.FindSet("model");
    if (model == nullptr || !model->is_object()) return Corrupt("model is not an object");
    // Early files do not name the type; WordPiece is the one with a prefix and a longest word.
    const bool early = model->Find("type") == nullptr && model->Find("continuing_subword_prefix") != nullptr &&
                       model->Find("max_input_chars_per_word") != nullptr;
    std::string type;
    if (!early) THIMBLE_RETURN_IF_ERROR(ReadString(*model, "model", "type", type));
    if (!early && type != "WordPiece") return Unsupported("model.type is \"", type, "\", expected \"WordPiece\"");

    THIMBLE_RETURN_IF_ERROR(ReadString(*model, "model", "continuing_subword_prefix", config_.continuation));
    if (config_.continuation.size() > text::kMaxPieceBytes) {
      return Unsupported("model.continuing_subword_prefix is longer than ", text::kMaxPieceBytes, " bytes");
    }
    const Json* longest = model->FindSet("max_input_chars_per_word");
    if (longest == nullptr || !GetNumber(*longest, UINT32_MAX, config_.max_word_chars) || config_.max_word_chars == 0) {
      return Corrupt("model.max_input_chars_per_word is not a positive whole number");
    }
    if (config_.max_word_chars > text::kMaxWordChars) {
      return Unsupported("model.max_input_chars_per_word is ", config_.max_word_chars, ", at most ",
                         text::kMaxWordChars, " is supported");
    }
    THIMBLE_RETURN_IF_ERROR(ReadVocabulary(*model));

    std::string unknown;
    THIMBLE_RETURN_IF_ERROR(ReadString(*model, "model", "unk_token", unknown));
    auto it = ids_.find(unknown);
    if (it == ids_.end()) return Corrupt("model.unk_token \"", unknown, "\" is not in the vocabulary");
    config_.unknown_id = it->second;
    return Status();
  }

  Status ReadVocabulary(const Json& model) {
    const Json* vocabulary = model.FindSet("vocab");
    if (vocabulary == nullptr || !vocabulary->is_object()) return Corrupt("model.vocab is not an object");
    if (vocabulary->empty()) return Corrupt("model.vocab is empty");
    num_pieces_ = vocabulary->object().size();
    std::size_t nodes = 0;
    for (const auto& [piece, value] : vocabulary->object()) {
      std::uint32_t id = 0;
      THIMBLE_RETURN_IF_ERROR(ReadId(value, "the id of \"" + piece + "\" in model.vocab", id));
      if (piece.size() > text::kMaxPieceBytes) {
        return Unsupported("model.vocab has a piece longer than ", text::kMaxPieceBytes, " bytes");
      }
      THIMBLE_RETURN_IF_ERROR(TakeId(piece, id));
      nodes += piece.size();
      if (!piece.empty()) config_.pieces.emplace_back(piece, id);
    }
    if (config_.pieces.empty()) return Corrupt("model.vocab has only the empty piece");
    if (nodes > text::kMaxNodes) return Unsupported("model.vocab has ", nodes, " bytes, at most ", text::kMaxNodes);
    std::sort(config_.pieces.begin(), config_.pieces.end());
    return Status();
  }

  // Notes that `token` has `id`, which no other may have.
  Status TakeId(const std::string& token, std::uint32_t id) {
    const std::size_t limit = 2 * (num_pieces_ + num_added()) + kMaxGap;
    if (id >= limit) return Corrupt("id ", id, " of \"", token, "\" is far beyond the size of the vocabulary");
    if (id >= taken_.size()) taken_.resize(id + 1);
    if (taken_[id]) return Corrupt("id ", id, " belongs to \"", token, "\" and to another token");
    taken_[id] = true;
    ids_.emplace(token, id);
    config_.vocabulary = taken_.size();
    return Status();
  }

  std::size_t num_added() const {
    const Json* added = root_.FindSet("added_tokens");
    return added == nullptr || !added->is_array() ? 0 : added->array().size();
  }

  Status ReadAddedTokens() {
    const Json* tokens = root_.FindSet("added_tokens");
    if (tokens == nullptr) return Status();
    if (!tokens->is_array()) return Corrupt("added_tokens is not an array");
    if (tokens->array().size() > text::kMaxAddedTokens) {
      return Unsupported("added_tokens has ", tokens->array().size(), " entries, at most ", text::kMaxAddedTokens);
    }
    // The id that the library gives to the next token that the vocabulary lacks.
    std::size_t next_id = num_pieces_;
    std::unordered_set<std::string> listed;
    for (std::size_t i = 0; i < tokens->array().size(); ++i) {
      const std::string where = "added_tokens[" + std::to_string(i) + "]";
      const Json& entry = tokens->array()[i];
      AddedToken token;
      THIMBLE_RETURN_IF_ERROR(ReadString(entry, where, "content", token.content));
      const Json* id = entry.FindSet("id");
      if (id == nullptr) return Corrupt(where, ".id is missing");
      THIMBLE_RETURN_IF_ERROR(ReadId(*id, where + ".id", token.id));
      bool left, right;
      THIMBLE_RETURN_IF_ERROR(ReadBoolean(entry, where, "single_word", false, token.single_word));
      THIMBLE_RETURN_IF_ERROR(ReadBoolean(entry, where, "lstrip", false, left));
      THIMBLE_RETURN_IF_ERROR(ReadBoolean(entry, where, "rstrip", false, right));
      THIMBLE_RETURN_IF_ERROR(ReadBoolean(entry, where, "normalized", false, token.normalized));
      if (token.content.empty()) return Corrupt(where, ".content is empty");
      if (token.content.size() > text::kMaxPieceBytes) {
        return Unsupported(where, ".content is longer than ", text::kMaxPieceBytes, " bytes");
      }
      if (token.content.find("\xEF\xBF\xBD") != std::string::npos) {
        return Unsupported("added token \"", token.content, "\" contains U+FFFD");
      }
      config_.added_strips = config_.added_strips || left || right;

      auto known = ids_.find(token.content);
      const std::size_t expected = known != ids_.end() ? known->second : next_id;
      if (token.id != expected) {
        return Corrupt("added token \"", token.content, "\" has id ", token.id, ", the vocabulary gives it ", expected);
      }
      if (known == ids_.end()) THIMBLE_RETURN_IF_ERROR(TakeId(token.content, token.id));
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
      const Json* members = part->FindSet("processors");
      if (members == nullptr || !members->is_array()) return Corrupt("post_processor.processors is not an array");
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
    if (id >= taken_.size() || !taken_[id]) return Corrupt("post_processor: id ", id, " is not in the vocabulary");
    if (ids.size() == text::kMaxSpecial) {
      return Unsupported("post_processor puts more than ", text::kMaxSpecial, " tokens on one side of a text");
    }
    ids.push_back(id);
    return Status();
  }

  Status ReadTemplate(const Json& part) {
    const Json* single = part.FindSet("single");
    if (single == nullptr || !single->is_array()) return Corrupt("post_processor.single is not an array");
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
  const std::string& path_;
  TokenizerConfig config_;
  std::size_t num_pieces_ = 0;
  std::unordered_map<std::string, std::uint32_t> ids_;  // Of every token.
  std::vector<bool> taken_;                             // Whether an id has a token.
};

}  // namespace

Result<TokenizerConfig> ParseTokenizer(const Json& root, const std::string& path) {
  if (!root.is_object()) return Error(Code::kCorrupt, path, ": is not a JSON object");
  return Parser(root, path).Parse();
}

}  // namespace thimble::convert
