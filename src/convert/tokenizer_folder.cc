// Makes of a folder's files the tokenizer.json that transformers would save, and compiles that.

#include "convert/tokenizer_folder.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "convert/tokenizer_class.h"
#include "convert/tokenizer_kind.h"
#include "convert/tokenizer_tokens.h"
#include "json/json_file.h"

namespace thimble::convert {
namespace {

using Json = json::Value;

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

bool IsOneOf(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class FolderReader : FolderSettings {
 public:
  FolderReader(const std::string& folder, const TokenizerSettings& settings) : settings_(settings), folder_(folder) {
    path = folder + "/tokenizer_config.json";
  }

  Result<TokenizerSource> Read() {
    THIMBLE_RETURN_IF_ERROR(ReadSettings());
    THIMBLE_RETURN_IF_ERROR(ChooseClass());
    THIMBLE_RETURN_IF_ERROR(OpenVocabulary());
    tokens_.emplace(folder_, static_cast<FolderSettings&>(*this), settings_.arguments, builds_);
    THIMBLE_RETURN_IF_ERROR(tokens_->ReadListed(*root_.Find("added_tokens")));
    THIMBLE_RETURN_IF_ERROR(tokens_->ReadSpecial());
    std::optional<Vocabulary> vocabulary;
    if (!files_.empty()) {
      THIMBLE_ASSIGN_OR_RETURN(vocabulary, builds_->read(files_, tokens_->special()));
      root_ = std::move(vocabulary->root);
    }
    THIMBLE_RETURN_IF_ERROR(ChooseKind());
    THIMBLE_RETURN_IF_ERROR(tokens_->ReadExtra([this](const std::string& content) { return FindEntry(content); },
                                               vocabulary ? &*vocabulary : nullptr));
    if (builds_ != nullptr) THIMBLE_RETURN_IF_ERROR(Build());
    THIMBLE_RETURN_IF_ERROR(AddTokens());
    if (settings_.do_lower_case) PrependLowercase();
    THIMBLE_RETURN_IF_ERROR(SetTruncation());
    TokenizerSource source;
    THIMBLE_RETURN_IF_ERROR(ReadLimit(source.model_max_length));
    THIMBLE_RETURN_IF_ERROR(ReadInputNames(source));
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
    if (chosen == nullptr || chosen->is_null()) {
      const Json* type = model.json().Find("model_type");
      for (const TokenizerClass* known : kTokenizerClasses) {
        if (type != nullptr && type->is_string() && IsOneOf(known->model_types, type->string())) builds_ = known;
      }
      return Status();
    }
    if (!chosen->is_string()) return Error(Code::kCorrupt, stated_in, ": \"tokenizer_class\": expected a string");
    std::string_view name = chosen->string();
    if (name.ends_with("Fast")) name.remove_suffix(4);
    std::string expected;
    for (const TokenizerClass* known : kTokenizerClasses) {
      builds_ = known;
      if (IsOneOf(known->names, name)) return Status();
      expected += (expected.empty() ? "" : ", ") + std::string(known->names[0]);
    }
    builds_ = nullptr;
    if (IsOneOf(kFileClasses, name)) return Status();
    return Error(Code::kUnsupported, stated_in, ": \"tokenizer_class\": expected ", expected,
                 " or TokenizersBackend, found \"", chosen->string(), "\"");
  }

  // Leaves in root_ what tokenizer.json says, or in files_ the vocabulary where there is none; its path in path_.
  Status OpenVocabulary() {
    path_ = folder_ + "/tokenizer.json";
    Result<std::string> json = json::ReadFile(path_, json::kMaxTokenizerBytes);
    if (json.ok()) {
      THIMBLE_ASSIGN_OR_RETURN(json::JsonFile file, json::JsonFile::Parse(*json, path_));
      if (!file.json().is_object()) return Error(Code::kCorrupt, path_, ": is not a JSON object");
      root_ = file.Take();
      return CheckListed();
    }
    if (json.status().code() != Code::kNotFound) return json.status();
    root_ = json::Object{{"added_tokens", json::Array()}};
    if (builds_ != nullptr) {
      THIMBLE_RETURN_IF_ERROR(OpenFiles(*builds_));
      if (files_.size() == builds_->files.size()) return Status();
    }
    const std::size_t found = files_.size();
    for (const TokenizerClass* known : kTokenizerClasses) {
      if (known == builds_) continue;
      THIMBLE_RETURN_IF_ERROR(OpenFiles(*known));
      if (files_.size() < known->files.size()) continue;
      return Error(Code::kUnsupported, path, ": \"tokenizer_class\": expected ", known->names[0],
                   ", because the folder has a ", known->files[0], " and no tokenizer.json");
    }
    if (builds_ == nullptr) return Error(Code::kNotFound, folder_, ": has no tokenizer.json");
    if (found > 0)
      return Error(Code::kNotFound, folder_, ": has ", builds_->files[0], ", but no ", builds_->files[found]);
    return Error(Code::kNotFound, folder_, ": has neither tokenizer.json nor ", builds_->files[0]);
  }

  // Reads the first files of a vocabulary that are there.
  Status OpenFiles(const TokenizerClass& known) {
    files_.clear();
    for (std::string_view name : known.files) {
      path_ = folder_ + "/" + std::string(name);
      Result<std::string> contents = json::ReadFile(path_, json::kMaxTokenizerBytes);
      if (!contents.ok() && contents.status().code() == Code::kNotFound) break;
      if (!contents.ok()) return contents.status();
      files_.push_back({.contents = std::move(*contents), .path = path_});
    }
    if (!files_.empty()) path_ = files_[0].path;
    return Status();
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

  // Chooses what reads the model.
  Status ChooseKind() {
    const auto found = root_.Find("model");
    if (found == nullptr || !found->is_object()) return Status();
    json::Object& model = root()["model"].object();
    if (builds_ != nullptr) {
      const Json* type = model.Find("type");
      if (type != nullptr && !type->is_null() && !type->Is(builds_->kind)) {
        return Error(Code::kUnsupported, path_, ": model.type is ", type->Text(), ", expected \"", builds_->kind,
                     "\", which is what a ", builds_->names[0], " has");
      }
      model["type"] = builds_->kind;
    }
    if (auto kind = MakeKindReader(root()["model"], path_); kind.ok()) kind_ = std::move(*kind);
    if (kind_ != nullptr && !kind_->CountEntries(root()["model"]).ok()) kind_ = nullptr;
    return Status();
  }

  std::optional<std::uint64_t> FindEntry(const std::string& content) const {
    return kind_ == nullptr ? std::nullopt : kind_->FindEntry(*root_.Find("model"), content);
  }

  // Puts together what the class does not take from tokenizer.json.
  Status Build() {
    root()["added_tokens"] = json::Array();
    THIMBLE_RETURN_IF_ERROR(builds_->build(*this, tokens_->special(), root()));
    if (builds_->around == Around::kRoberta) return Status();
    for (std::string_view key : {builds_->first, builds_->last}) {
      // The library writes them into a template that it parses.
      const std::string_view content = ContentOf(tokens_->special(), key);
      if (content.find_first_of(" :$") != std::string_view::npos) {
        return Unsupported(key, "\"", content, "\" has a space, a colon or a dollar sign");
      }
    }
    return Status();
  }

  // Lists the tokens, then puts those of the class around a text.
  Status AddTokens() {
    if (kind_ == nullptr) return Status();
    Json& tokens = root()["added_tokens"];
    if (tokens.is_null()) tokens = json::Array();
    THIMBLE_ASSIGN_OR_RETURN(const std::uint64_t next_id, kind_->CountEntries(*root_.Find("model")));
    THIMBLE_RETURN_IF_ERROR(tokens_->AddTo(tokens.array(), path_, next_id, settings_.embeddings,
                                           [this](const std::string& content) { return FindEntry(content); }));
    if (builds_ == nullptr) return Status();
    THIMBLE_ASSIGN_OR_RETURN(root()["post_processor"], PostProcessor());
    return Status();
  }

  Result<Json> PostProcessor() const {
    const std::string first(ContentOf(tokens_->special(), builds_->first));
    const std::string last(ContentOf(tokens_->special(), builds_->last));
    const std::uint64_t first_id = tokens_->Id(first), last_id = tokens_->Id(last);
    if (builds_->around == Around::kRoberta) {
      bool trims = true, prefix = false;
      THIMBLE_RETURN_IF_ERROR(ReadBoolean("trim_offsets", trims));
      THIMBLE_RETURN_IF_ERROR(ReadBoolean("add_prefix_space", prefix));
      return Json(json::Object{{"type", "RobertaProcessing"},
                               {"sep", json::Array{last, last_id}},
                               {"cls", json::Array{first, first_id}},
                               {"trim_offsets", trims},
                               {"add_prefix_space", prefix}});
    }
    const bool bert = builds_->around == Around::kBert;
    const auto token = [](const std::string& id, unsigned type) {
      return json::Object{{"SpecialToken", json::Object{{"id", id}, {"type_id", type}}}};
    };
    const auto text = [](const char* id, unsigned type) {
      return json::Object{{"Sequence", json::Object{{"id", id}, {"type_id", type}}}};
    };
    json::Array single = {token(first, 0), text("A", 0), token(last, 0)};
    json::Array pair = single;
    if (!bert) pair.push_back(token(last, 0));
    pair.push_back(text("B", bert ? 1 : 0));
    pair.push_back(token(last, bert ? 1 : 0));
    json::Object special;
    special[first] = json::Object{{"id", first}, {"ids", json::Array{first_id}}};
    special[last] = json::Object{{"id", last}, {"ids", json::Array{last_id}}};
    return Json(json::Object{{"type", "TemplateProcessing"},
                             {"single", std::move(single)},
                             {"pair", std::move(pair)},
                             {"special_tokens", std::move(special)}});
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

  // The library passes on what the setting, or else the class, names. Since version 5, tokenizer.json as it is has no
  // types.
  Status ReadInputNames(TokenizerSource& source) const {
    source.token_types = builds_ != nullptr;
    const Json* names = Find("model_input_names");
    if (names == nullptr || names->is_null()) return Status();
    if (!names->is_array()) return Corrupt("model_input_names", "expected an array");
    source.states_inputs = true;
    source.token_types = std::any_of(names->array().begin(), names->array().end(),
                                     [](const Json& name) { return name.Is("token_type_ids"); });
    return Status();
  }

  const TokenizerSettings& settings_;
  const std::string& folder_;
  // The class that builds the tokenizer anew; null if it is tokenizer.json as it is.
  const TokenizerClass* builds_ = kTokenizerClasses[0];
  std::unique_ptr<KindReader> kind_;   // Null where root_ has no vocabulary that it reads; the compiler refuses that.
  std::string path_;                   // Of the vocabulary.
  Json root_;                          // A tokenizer.json, an object.
  std::vector<VocabularyFile> files_;  // Where there is no tokenizer.json.
  std::optional<FolderTokens> tokens_;
};

}  // namespace

Result<TokenizerSource> ReadTokenizer(const std::string& folder, const TokenizerSettings& settings) {
  return FolderReader(folder, settings).Read();
}

}  // namespace thimble::convert
