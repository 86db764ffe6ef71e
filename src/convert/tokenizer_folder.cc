// Makes of a folder's files the tokenizer.json that transformers would save, and compiles that.

#include "convert/tokenizer_folder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "convert/tokenizer_kind.h"
#include "json/json_file.h"

namespace thimble::convert {
namespace {

using Json = json::Value;

// In the order in which the library adds them.
constexpr std::array<std::string_view, 7> kSpecialTokens = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                            "pad_token", "cls_token", "mask_token"};

// Classes that are tokenizer.json as it is, and those that the library has no longer, which read so.
constexpr std::array<std::string_view, 8> kFileClasses = {
    "TokenizersBackend", "PreTrainedTokenizer", "PythonBackend",  "RetriBertTokenizer",
    "RealmTokenizer",    "NezhaTokenizer",      "ErnieTokenizer", "QDQBertTokenizer",
};

// Arguments that say where and how files are fetched, or that the library ignores.
constexpr std::array<std::string_view, 9> kFetchArguments = {
    "use_fast",  "trust_remote_code", "revision",       "code_revision", "token",
    "cache_dir", "local_files_only",  "force_download", "proxies",
};
// Arguments that choose another tokenizer.
constexpr std::array<std::string_view, 6> kChoosingArguments = {"tokenizer_type", "tokenizer_class", "config",
                                                                "mistral_format", "gguf_file",       "subfolder"};

template <std::size_t N>
bool IsOneOf(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A token as the library has it; what `normalized` is not said to be depends on `special`.
struct Token {
  std::string content;
  bool special = false;
  bool single_word = false, lstrip = false, rstrip = false;
  std::optional<bool> normalized = std::nullopt;
};

class FolderReader : FolderSettings {
 public:
  FolderReader(const std::string& folder, const TokenizerSettings& settings) : settings_(settings), folder_(folder) {
    path = folder + "/tokenizer_config.json";
  }

  Result<TokenizerSource> Read() {
    THIMBLE_RETURN_IF_ERROR(ReadSettings());
    THIMBLE_RETURN_IF_ERROR(ChooseClass());
    THIMBLE_RETURN_IF_ERROR(ReadVocabulary());
    ChooseKind();
    THIMBLE_RETURN_IF_ERROR(ReadAddedTokens());
    THIMBLE_RETURN_IF_ERROR(ReadSpecialTokens());
    if (builds_ != nullptr) THIMBLE_RETURN_IF_ERROR(Build());
    THIMBLE_RETURN_IF_ERROR(AddTokens());
    if (settings_.do_lower_case) PrependLowercase();
    THIMBLE_RETURN_IF_ERROR(SetTruncation());
    TokenizerSource source;
    THIMBLE_RETURN_IF_ERROR(ReadLimit(source.model_max_length));
    THIMBLE_RETURN_IF_ERROR(ReadInputNames(source.token_types));
    THIMBLE_ASSIGN_OR_RETURN(source.tokenizer, CompileParsedTokenizer(root_, path_));
    source.path = path_;
    return source;
  }

 private:
  json::Object& root() { return root_.object(); }

  Status ReadSettings() {
    THIMBLE_ASSIGN_OR_RETURN(json::JsonFile file, json::JsonFile::OpenIfPresent(path));
    if (!file.json().is_object()) return Error(Code::kCorrupt, path, ": expected a JSON object");
    values = std::move(file.Take().object());
    if (!settings_.arguments.is_object()) {
      return Error(Code::kCorrupt, folder_, "/sentence_bert_config.json: \"processor_kwargs\": expected an object");
    }
    for (const auto& [key, value] : settings_.arguments.object()) {
      if (IsOneOf(kFetchArguments, key)) continue;
      const bool nothing = value.is_null() || value.Is("") || (value.is_boolean() && !value.boolean());
      if (IsOneOf(kChoosingArguments, key) && !nothing) {
        return Error(Code::kUnsupported, folder_, "/sentence_bert_config.json: processor_kwargs has \"", key, "\"");
      }
      if (!IsOneOf(kChoosingArguments, key)) values[key] = value;
    }
    if (const Json* files = Find("fast_tokenizer_files")) {
      if (!files->is_array() || files->array().size() != 1 || !files->array()[0].Is("tokenizer.json")) {
        return Unsupported("fast_tokenizer_files", "only \"tokenizer.json\" is read");
      }
    }
    bool splits = false;
    THIMBLE_RETURN_IF_ERROR(ReadBoolean("split_special_tokens", splits));
    if (splits) return Unsupported("split_special_tokens", "true is not supported");
    return Status();
  }

  Status ChooseClass() {
    std::string stated_in = path;
    const Json* chosen = Find("tokenizer_class");
    THIMBLE_ASSIGN_OR_RETURN(const json::JsonFile model, json::JsonFile::OpenIfPresent(folder_ + "/config.json"));
    if ((chosen == nullptr || chosen->is_null()) && model.json().is_object()) {
      stated_in = folder_ + "/config.json";
      chosen = model.json().Find("tokenizer_class");
    }
    if (chosen == nullptr || chosen->is_null()) return Status();
    if (!chosen->is_string()) return Error(Code::kCorrupt, stated_in, ": \"tokenizer_class\": expected a string");
    std::string_view name = chosen->string();
    if (name.ends_with("Fast")) name.remove_suffix(4);
    std::string expected;
    for (const TokenizerClasses* classes : kTokenizerClasses) {
      builds_ = classes;
      if (std::find(classes->names.begin(), classes->names.end(), name) != classes->names.end()) return Status();
      expected += (expected.empty() ? "" : ", ") + std::string(classes->names[0]);
    }
    builds_ = nullptr;
    if (IsOneOf(kFileClasses, name)) return Status();
    return Error(Code::kUnsupported, stated_in, ": \"tokenizer_class\": expected ", expected,
                 " or TokenizersBackend, found \"", chosen->string(), "\"");
  }

  // Leaves in root_ what the vocabulary's file says, and its path in path_.
  Status ReadVocabulary() {
    path_ = folder_ + "/tokenizer.json";
    Result<std::string> json = json::ReadFile(path_, json::kMaxTokenizerBytes);
    if (json.ok()) {
      THIMBLE_ASSIGN_OR_RETURN(json::JsonFile file, json::JsonFile::Parse(*json, path_));
      if (!file.json().is_object()) return Error(Code::kCorrupt, path_, ": is not a JSON object");
      root_ = file.Take();
      return CheckListed();
    }
    if (json.status().code() != Code::kNotFound) return json.status();
    std::string expected = "tokenizer.json";
    for (const TokenizerClasses* classes : kTokenizerClasses) {
      const std::string file(classes->vocabulary_file);
      path_ = folder_ + "/" + file;
      const Result<std::string> contents = json::ReadFile(path_, json::kMaxTokenizerBytes);
      expected += " nor " + file;
      if (!contents.ok() && contents.status().code() == Code::kNotFound) continue;
      if (!contents.ok()) return contents.status();
      if (classes != builds_) {
        return Error(Code::kUnsupported, path, ": \"tokenizer_class\": expected ", classes->names[0],
                     ", because the folder has a ", file, " and no tokenizer.json");
      }
      THIMBLE_ASSIGN_OR_RETURN(json::Object model, classes->read_vocabulary(*contents, path_));
      root_ = json::Object();
      root()["model"] = std::move(model);
      root()["added_tokens"] = json::Array();
      return Status();
    }
    return Error(Code::kNotFound, folder_, ": has neither ", expected);
  }

  // Leaves "added_tokens" of the root an array of objects that have content and id.
  Status CheckListed() {
    Json& tokens = root()["added_tokens"];
    if (tokens.is_null()) tokens = json::Array();
    if (!tokens.is_array()) return Error(Code::kCorrupt, path_, ": added_tokens is not an array");
    for (const Json& token : tokens.array()) {
      const Json *content = token.Find("content"), *id = token.Find("id");
      if (content == nullptr || !content->is_string() || id == nullptr || !id->is_unsigned() ||
          id->integer() > UINT32_MAX) {
        return Error(Code::kCorrupt, path_, ": added_tokens has an entry that is not a token with an id");
      }
    }
    return Status();
  }

  // {"content": ..., "lstrip": ...}.
  Status ReadToken(const Json& json, std::string_view where, Token& token) const {
    if (!json.is_object()) return Corrupt(where, "expected an object");
    for (const auto& [key, value] : json.object()) {
      if (key == "content") {
        if (!value.is_string()) return Corrupt(where, "expected a content that is a string");
        token.content = value.string();
        continue;
      }
      if (key == "id" || key == "__type") continue;
      if (!value.is_boolean()) return Corrupt(where, "expected true or false for \"", key, "\"");
      if (key == "special") token.special = value.boolean();
      if (key == "single_word") token.single_word = value.boolean();
      if (key == "lstrip") token.lstrip = value.boolean();
      if (key == "rstrip") token.rstrip = value.boolean();
      if (key == "normalized") token.normalized = value.boolean();
    }
    if (token.content.empty()) return Corrupt(where, "expected a content that is not empty");
    return Status();
  }

  // A string, or a token in the form of tokenizer_config.json.
  Status ReadSpecial(const Json& json, std::string_view where, Token& token) const {
    if (const Json* type = json.Find("__type")) {
      if (!type->Is("AddedToken")) return Corrupt(where, "expected \"__type\" to be \"AddedToken\"");
      THIMBLE_RETURN_IF_ERROR(ReadToken(json, where, token));
      token.special = true;
      return Status();
    }
    if (!json.is_string() || json.Is("")) return Corrupt(where, "expected a token");
    token = Token{json.string(), true};
    return Status();
  }

  static Result<std::uint32_t> ReadIndex(std::string_view text) {
    std::uint32_t index = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc() || end != text.data() + text.size()) return Error(Code::kCorrupt, "not a number");
    return index;
  }

  // The tokens that files list with an id; the library keeps their order and gives ids of its own.
  Status ReadAddedTokens() {
    std::map<std::uint32_t, Token> listed;
    if (const Json* decoder = Find("added_tokens_decoder")) {
      if (!decoder->is_object()) return Corrupt("added_tokens_decoder", "expected an object");
      for (const auto& [key, value] : decoder->object()) {
        Result<std::uint32_t> index = ReadIndex(key);
        if (!index.ok()) return Corrupt("added_tokens_decoder", "expected an id, found \"", key, "\"");
        THIMBLE_RETURN_IF_ERROR(ReadToken(value, "added_tokens_decoder." + key, listed[*index]));
      }
    } else {
      THIMBLE_RETURN_IF_ERROR(ReadSpecialTokensMap());
      THIMBLE_RETURN_IF_ERROR(ReadAddedTokensFile(listed));
      for (const Json& value : root()["added_tokens"].array()) {
        Token token;
        THIMBLE_RETURN_IF_ERROR(ReadToken(value, "added_tokens", token));
        listed.insert_or_assign(static_cast<std::uint32_t>(value.Find("id")->integer()), token);
      }
    }
    for (auto& [index, token] : listed) tokens_.push_back(std::move(token));
    return Status();
  }

  // What old folders say of special tokens; it wins over tokenizer_config.json.
  Status ReadSpecialTokensMap() {
    const std::string map_path = folder_ + "/special_tokens_map.json";
    THIMBLE_ASSIGN_OR_RETURN(const json::JsonFile file, json::JsonFile::OpenIfPresent(map_path));
    if (!file.json().is_object()) return Error(Code::kCorrupt, map_path, ": expected a JSON object");
    for (const auto& [key, value] : file.json().object()) {
      const Json* argument = settings_.arguments.FindSet(key);
      if (argument != nullptr && !argument->Is("")) continue;
      Json& setting = values[key] = value;
      if (value.Find("content") != nullptr) setting.object()["__type"] = "AddedToken";
    }
    return Status();
  }

  Status ReadAddedTokensFile(std::map<std::uint32_t, Token>& listed) const {
    const std::string list_path = folder_ + "/added_tokens.json";
    THIMBLE_ASSIGN_OR_RETURN(const json::JsonFile file, json::JsonFile::OpenIfPresent(list_path));
    if (!file.json().is_object()) return Error(Code::kCorrupt, list_path, ": expected a JSON object");
    std::set<std::string> special;
    for (std::string_view key : kSpecialTokens) {
      Token token;
      const Json* setting = Find(key);
      if (setting != nullptr && ReadSpecial(*setting, key, token).ok()) special.insert(token.content);
    }
    for (const auto& [content, index] : file.json().object()) {
      if (content.empty() || !index.is_unsigned() || index.integer() > UINT32_MAX) {
        return Error(Code::kCorrupt, list_path, ": expected tokens with ids, found \"", content, "\"");
      }
      const bool is_special = special.contains(content);
      listed.insert_or_assign(static_cast<std::uint32_t>(index.integer()),
                              Token{content, is_special, false, false, false, !is_special});
    }
    return Status();
  }

  Status ReadSpecialTokens() {
    if (builds_ != nullptr) {
      for (const auto& [key, content] : builds_->special) {
        special_[std::string(key)] = Token{std::string(content), true};
      }
    }
    for (std::string_view key : kSpecialTokens) {
      const Json* setting = Find(key);
      if (setting == nullptr) continue;
      if (setting->is_null()) {
        if (builds_ != nullptr && (key == "unk_token" || key == "sep_token" || key == "cls_token")) {
          return Unsupported(key, "null is not supported");
        }
        special_.erase(std::string(key));
        continue;
      }
      THIMBLE_RETURN_IF_ERROR(ReadSpecial(*setting, key, special_[std::string(key)]));
    }
    for (const char* key : {"model_specific_special_tokens", "extra_special_tokens", "additional_special_tokens"}) {
      const Json* extra = Find(key);
      if (extra == nullptr || extra->is_null()) continue;
      if (key == std::string_view("additional_special_tokens") && !extra_.empty()) continue;
      if (!extra->is_array() && !extra->is_object()) return Corrupt(key, "expected an array or an object");
      const auto add = [&](const Json& value, bool known) -> Status {
        Token token;
        THIMBLE_RETURN_IF_ERROR(ReadSpecial(value, key, token));
        if (known) THIMBLE_RETURN_IF_ERROR(RequireKnown(key, token));
        extra_.push_back(std::move(token));
        return Status();
      };
      if (extra->is_array()) {
        for (const Json& value : extra->array()) THIMBLE_RETURN_IF_ERROR(add(value, false));
      } else {
        for (const auto& [name, value] : extra->object()) THIMBLE_RETURN_IF_ERROR(add(value, true));
      }
    }
    values.Sort();
    // Tokens of a model's own, which the library knows by the ends of their names.
    for (const auto& [key, value] : values) {
      if (!key.ends_with("_token") || IsOneOf(kSpecialTokens, key)) continue;
      if (!value.is_string() && value.Find("__type") == nullptr) continue;
      Token token;
      THIMBLE_RETURN_IF_ERROR(ReadSpecial(value, key, token));
      THIMBLE_RETURN_IF_ERROR(RequireKnown(key, token));
      extra_.push_back(std::move(token));
    }
    return Status();
  }

  // Chooses what reads the model.
  void ChooseKind() {
    const Json* model = root().Find("model");
    if (model == nullptr || !model->is_object()) return;
    if (builds_ != nullptr) {
      kind_ = builds_->make_reader(path_);
    } else if (auto kind = MakeKindReader(*model, path_); kind.ok()) {
      kind_ = std::move(*kind);
    }
    if (kind_ != nullptr && !kind_->CountEntries(*model).ok()) kind_ = nullptr;
  }

  std::optional<std::uint64_t> FindEntry(const std::string& content) const {
    return kind_ == nullptr ? std::nullopt : kind_->FindEntry(*root_.Find("model"), content);
  }

  // The id of a token that is new would depend on the order of keys in a file.
  Status RequireKnown(std::string_view key, const Token& token) const {
    if (FindEntry(token.content)) return Status();
    return Unsupported(key, "\"", token.content, "\" is not in the vocabulary");
  }

  // The parts that a BertTokenizer does not take from tokenizer.json.
  Status Build() {
    THIMBLE_RETURN_IF_ERROR(builds_->build(*this, special_["unk_token"].content, root()));
    for (const char* key : {"cls_token", "sep_token"}) {
      // The library writes them into a template that it parses.
      const std::string& content = special_[key].content;
      if (content.find_first_of(" :$") != std::string::npos) {
        return Unsupported(key, "\"", content, "\" has a space, a colon or a dollar sign");
      }
    }
    return Status();
  }

  // A token that is listed once more has the options it is listed with last.
  Status Relist(const Token& token, bool normalized, json::Array& list) const {
    for (Json& value : list) {
      json::Object& entry = value.object();
      if (!entry["content"].Is(token.content)) continue;
      const Json* listed = entry.Find("normalized");
      if (listed == nullptr ? normalized : !listed->is_boolean() || listed->boolean() != normalized) {
        return Error(Code::kUnsupported, path, ": added token \"", token.content, "\" differs in \"normalized\" from ",
                     path_);
      }
      entry["single_word"] = token.single_word;
      entry["lstrip"] = token.lstrip;
      entry["rstrip"] = token.rstrip;
    }
    return Status();
  }

  // Gives the tokens their ids and lists them, then puts those of class and separator around a text.
  Status AddTokens() {
    if (kind_ == nullptr) return Status();
    Json& tokens = root()["added_tokens"];
    if (tokens.is_null()) tokens = json::Array();
    json::Array& list = tokens.array();
    THIMBLE_ASSIGN_OR_RETURN(std::uint64_t next_id, kind_->CountEntries(*root_.Find("model")));
    for (const Json& entry : list) {
      // The compiler checks it.
      const std::uint64_t id = entry.Find("id")->integer();
      next_id = std::max(next_id, id + 1);
      ids_.emplace(entry.Find("content")->string(), id);
    }
    const std::size_t num_listed = tokens_.size();
    for (std::string_view key : kSpecialTokens) {
      auto it = special_.find(std::string(key));
      if (it != special_.end()) tokens_.push_back(it->second);
    }
    tokens_.insert(tokens_.end(), extra_.begin(), extra_.end());
    std::set<std::string> named;
    for (const auto& [key, token] : special_) named.insert(token.content);
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const Token& token = tokens_[i];
      const bool special = token.special || named.contains(token.content);
      const bool normalized = token.normalized.value_or(!special);
      if (ids_.contains(token.content)) {
        if (i < num_listed) THIMBLE_RETURN_IF_ERROR(Relist(token, normalized, list));
        continue;
      }
      const std::uint64_t id = FindEntry(token.content).value_or(next_id);
      const bool needed =
          token.content == special_["cls_token"].content || token.content == special_["sep_token"].content;
      if (i >= num_listed && id >= settings_.embeddings && !needed) continue;
      next_id = std::max(next_id, id + 1);
      ids_.emplace(token.content, id);
      list.push_back(json::Object{{"id", id},
                                  {"content", token.content},
                                  {"single_word", token.single_word},
                                  {"lstrip", token.lstrip},
                                  {"rstrip", token.rstrip},
                                  {"normalized", normalized}});
    }
    if (builds_ == nullptr) return Status();
    const auto named_special = [&](const char* key) { return json::Object{{"id", special_[key].content}}; };
    json::Object special_tokens;
    for (const char* key : {"cls_token", "sep_token"}) {
      const std::string& content = special_[key].content;
      special_tokens[content] = json::Object{{"id", content}, {"ids", json::Array{ids_[content]}}};
    }
    json::Array single = {json::Object{{"SpecialToken", named_special("cls_token")}},
                          json::Object{{"Sequence", json::Object{{"id", "A"}}}},
                          json::Object{{"SpecialToken", named_special("sep_token")}}};
    json::Array pair = single;
    pair.push_back(json::Object{{"Sequence", json::Object{{"id", "B"}, {"type_id", 1}}}});
    pair.push_back(json::Object{{"SpecialToken", json::Object{{"id", special_["sep_token"].content}, {"type_id", 1}}}});
    root()["post_processor"] = json::Object{{"type", "TemplateProcessing"},
                                            {"single", std::move(single)},
                                            {"pair", std::move(pair)},
                                            {"special_tokens", std::move(special_tokens)}};
    return Status();
  }

  void PrependLowercase() {
    const auto has_type = [](const Json& part, std::string_view name) {
      const Json* type = part.Find("type");
      return type != nullptr && type->Is(name);
    };
    const auto is_lowercase = [&](const Json& part) { return has_type(part, "Lowercase"); };
    Json& normalizer = root()["normalizer"];
    if (is_lowercase(normalizer)) return;
    json::Array members = {json::Object{{"type", "Lowercase"}}};
    const Json* sequence = normalizer.Find("normalizers");
    if (has_type(normalizer, "Sequence") && sequence != nullptr && sequence->is_array()) {
      const json::Array& old = sequence->array();
      if (std::any_of(old.begin(), old.end(), is_lowercase)) return;
      members.insert(members.end(), old.begin(), old.end());
    } else if (!normalizer.is_null()) {
      members.push_back(normalizer);
    }
    normalizer = json::Object{{"type", "Sequence"}, {"normalizers", std::move(members)}};
  }

  Status SetTruncation() {
    const Json* side = Find("truncation_side");
    if (side == nullptr) return Status();
    if (!side->Is("left") && !side->Is("right")) {
      return Corrupt("truncation_side", "expected \"left\" or \"right\"");
    }
    Json& truncation = root()["truncation"];
    if (!truncation.is_object()) truncation = json::Object();
    truncation.object()["direction"] = side->Is("left") ? "Left" : "Right";
    return Status();
  }

  Status ReadLimit(std::optional<std::size_t>& limit) const {
    constexpr double kNoLimit = 1e20;  // Above it the library does not truncate.
    const char* key = Find("model_max_length") != nullptr ? "model_max_length" : "max_len";
    const Json* setting = Find(key);
    if (setting == nullptr || setting->is_null()) return Status();
    if (setting->is_number() && setting->number() > kNoLimit) return Status();
    if (!setting->is_unsigned() || setting->integer() == 0) return Corrupt(key, "expected an integer above 0");
    limit = setting->integer();
    return Status();
  }

  // The library passes on what the class, or else the setting, names.
  Status ReadInputNames(bool& token_types) const {
    const Json* names = Find("model_input_names");
    if (names == nullptr || names->is_null()) return Status();
    if (!names->is_array()) return Corrupt("model_input_names", "expected an array");
    token_types = std::any_of(names->array().begin(), names->array().end(),
                              [](const Json& name) { return name.Is("token_type_ids"); });
    return Status();
  }

  const TokenizerSettings& settings_;
  const std::string& folder_;
  // The classes that build the tokenizer anew; null if it is tokenizer.json as it is.
  const TokenizerClasses* builds_ = kTokenizerClasses[0];
  std::unique_ptr<KindReader> kind_;  // Null where root_ has no vocabulary that it reads; the compiler refuses that.
  std::string path_;                  // Of the vocabulary.
  Json root_;                         // A tokenizer.json, an object.
  std::vector<Token> tokens_;         // That files list with ids, then the others.
  std::map<std::string, Token> special_;  // By the names of settings.
  std::vector<Token> extra_;
  std::map<std::string, std::uint64_t> ids_;  // Of added tokens.
};

}  // namespace

Result<TokenizerSource> ReadTokenizer(const std::string& folder, const TokenizerSettings& settings) {
  return FolderReader(folder, settings).Read();
}

}  // namespace thimble::convert
