// Reads and lists the added and special tokens of a folder as transformers 5 does.

#include "convert/tokenizer_tokens.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "base/error.h"
#include "json/json_file.h"

namespace thimble::convert {
namespace {

using Json = json::Value;

// In the order in which the library adds them.
constexpr std::array<std::string_view, 7> kRoles = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                    "pad_token", "cls_token", "mask_token"};

bool IsRole(std::string_view key) { return std::find(kRoles.begin(), kRoles.end(), key) != kRoles.end(); }

Result<std::uint32_t> ReadIndex(std::string_view text) {
  std::uint32_t index = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size()) return Error(Code::kCorrupt, "not a number");
  return index;
}

}  // namespace

// {"content": ..., "lstrip": ...}.
Status FolderTokens::ReadToken(const Json& json, std::string_view where, FolderToken& token) const {
  if (!json.is_object()) return settings_.Corrupt(where, "expected an object");
  for (const auto& [key, value] : json.object()) {
    if (key == "content") {
      if (!value.is_string()) return settings_.Corrupt(where, "expected a content that is a string");
      token.content = value.string();
      continue;
    }
    if (key == "id" || key == "__type") continue;
    if (!value.is_boolean()) return settings_.Corrupt(where, "expected true or false for \"", key, "\"");
    if (key == "special") token.special = value.boolean();
    if (key == "single_word") token.single_word = value.boolean();
    if (key == "lstrip") token.lstrip = value.boolean();
    if (key == "rstrip") token.rstrip = value.boolean();
    if (key == "normalized") token.normalized = value.boolean();
  }
  if (token.content.empty()) return settings_.Corrupt(where, "expected a content that is not empty");
  return Status();
}

// A string, or a token in the form of tokenizer_config.json.
Status FolderTokens::ReadRole(const Json& json, std::string_view where, FolderToken& token) const {
  if (const Json* type = json.Find("__type")) {
    if (!type->Is("AddedToken")) return settings_.Corrupt(where, "expected \"__type\" to be \"AddedToken\"");
    token = FolderToken();
    THIMBLE_RETURN_IF_ERROR(ReadToken(json, where, token));
    token.special = true;
    return Status();
  }
  if (!json.is_string() || json.Is("")) return settings_.Corrupt(where, "expected a token");
  token = FolderToken{.content = json.string(), .special = true};
  return Status();
}

Status FolderTokens::ReadListed(const Json& listed) {
  std::map<std::uint32_t, FolderToken> found;
  if (const Json* decoder = settings_.Find("added_tokens_decoder")) {
    if (!decoder->is_object()) return settings_.Corrupt("added_tokens_decoder", "expected an object");
    for (const auto& [key, value] : decoder->object()) {
      Result<std::uint32_t> index = ReadIndex(key);
      if (!index.ok()) return settings_.Corrupt("added_tokens_decoder", "expected an id, found \"", key, "\"");
      THIMBLE_RETURN_IF_ERROR(ReadToken(value, "added_tokens_decoder." + key, found[*index]));
    }
  } else {
    THIMBLE_RETURN_IF_ERROR(ReadSpecialTokensMap());
    THIMBLE_RETURN_IF_ERROR(ReadAddedTokensFile(found));
    for (const Json& value : listed.array()) {
      FolderToken token;
      THIMBLE_RETURN_IF_ERROR(ReadToken(value, "added_tokens", token));
      found.insert_or_assign(static_cast<std::uint32_t>(value.Find("id")->integer()), token);
    }
  }
  for (auto& [index, token] : found) listed_.push_back(std::move(token));
  return Status();
}

// It wins over tokenizer_config.json.
Status FolderTokens::ReadSpecialTokensMap() {
  const std::string path = folder_ + "/special_tokens_map.json";
  THIMBLE_ASSIGN_OR_RETURN(const json::JsonFile file, json::JsonFile::OpenIfPresent(path));
  if (!file.json().is_object()) return Error(Code::kCorrupt, path, ": expected a JSON object");
  extra_in_map_ = settings_.Find("extra_special_tokens") == nullptr &&
                  settings_.Find("additional_special_tokens") == nullptr &&
                  file.json().Find("extra_special_tokens") == nullptr;
  for (const auto& [key, value] : file.json().object()) {
    const Json* argument = arguments_.FindSet(key);
    if (argument != nullptr && !argument->Is("")) continue;
    Json& setting = settings_.values[key] = value;
    if (value.Find("content") != nullptr) setting.object()["__type"] = "AddedToken";
  }
  return Status();
}

Status FolderTokens::ReadAddedTokensFile(std::map<std::uint32_t, FolderToken>& listed) const {
  const std::string path = folder_ + "/added_tokens.json";
  THIMBLE_ASSIGN_OR_RETURN(const json::JsonFile file, json::JsonFile::OpenIfPresent(path));
  if (!file.json().is_object()) return Error(Code::kCorrupt, path, ": expected a JSON object");
  std::set<std::string> special;
  for (std::string_view key : kRoles) {
    FolderToken token;
    const Json* setting = settings_.Find(key);
    if (setting != nullptr && ReadRole(*setting, key, token).ok()) special.insert(token.content);
  }
  for (const auto& [content, index] : file.json().object()) {
    if (content.empty() || !index.is_unsigned() || index.integer() > UINT32_MAX) {
      return Error(Code::kCorrupt, path, ": expected tokens with ids, found \"", content, "\"");
    }
    const bool is_special = special.contains(content);
    listed.insert_or_assign(static_cast<std::uint32_t>(index.integer()),
                            FolderToken{.content = content, .special = is_special, .normalized = !is_special});
  }
  return Status();
}

Status FolderTokens::ReadSpecial() {
  if (builds_ != nullptr) {
    for (const DefaultToken& token : builds_->special) {
      special_[std::string(token.setting)] =
          FolderToken{.content = std::string(token.content), .special = true, .lstrip = token.lstrip};
    }
  }
  for (std::string_view key : kRoles) {
    const Json* setting = settings_.Find(key);
    if (setting == nullptr) continue;
    if (setting->is_null()) {
      if (builds_ != nullptr && (key == "unk_token" || key == "sep_token" || key == "cls_token" ||
                                 key == builds_->first || key == builds_->last)) {
        return settings_.Unsupported(key, "null is not supported");
      }
      special_.erase(std::string(key));
      continue;
    }
    FolderToken& token = special_[std::string(key)];
    THIMBLE_RETURN_IF_ERROR(ReadRole(*setting, key, token));
    if (builds_ == nullptr || !setting->is_string()) continue;
    for (const DefaultToken& usual : builds_->special) token.lstrip |= usual.setting == key && usual.lstrip;
  }
  return Status();
}

Status FolderTokens::ReadExtraSetting(std::string_view key, const FindEntry& find) {
  const Json* extra = settings_.Find(key);
  if (extra == nullptr || extra->is_null()) return Status();
  if (!extra->is_array() && !extra->is_object()) return settings_.Corrupt(key, "expected an array or an object");
  const auto add = [&](const Json& value, bool known) -> Status {
    FolderToken token;
    THIMBLE_RETURN_IF_ERROR(ReadRole(value, key, token));
    if (known) THIMBLE_RETURN_IF_ERROR(RequireKnown(key, token, find));
    extra_.push_back(std::move(token));
    return Status();
  };
  if (extra->is_array()) {
    for (const Json& value : extra->array()) THIMBLE_RETURN_IF_ERROR(add(value, false));
  } else {
    for (const auto& [name, value] : extra->object()) THIMBLE_RETURN_IF_ERROR(add(value, true));
  }
  return Status();
}

Status FolderTokens::ReadExtra(const FindEntry& find, const Vocabulary* vocabulary) {
  const Json* listed = settings_.Find("extra_special_tokens");
  const bool stated = (listed != nullptr && !listed->is_object()) ||
                      (settings_.Find("additional_special_tokens") != nullptr && !(vocabulary && extra_in_map_));
  THIMBLE_RETURN_IF_ERROR(ReadExtraSetting("model_specific_special_tokens", find));
  THIMBLE_RETURN_IF_ERROR(ReadExtraSetting("extra_special_tokens", find));
  if (stated && extra_.empty()) THIMBLE_RETURN_IF_ERROR(ReadExtraSetting("additional_special_tokens", find));
  if (!stated && vocabulary != nullptr) {
    extra_.insert(extra_.end(), vocabulary->extra.begin(), vocabulary->extra.end());
  } else if (!stated && builds_ != nullptr) {
    for (std::string_view token : builds_->extra) extra_.push_back({.content = std::string(token), .special = true});
  }
  settings_.values.Sort();
  // Tokens of a model's own, which the library knows by the ends of their names.
  for (const auto& [key, value] : settings_.values) {
    if (!key.ends_with("_token") || IsRole(key)) continue;
    if (!value.is_string() && value.Find("__type") == nullptr) continue;
    FolderToken token;
    THIMBLE_RETURN_IF_ERROR(ReadRole(value, key, token));
    THIMBLE_RETURN_IF_ERROR(RequireKnown(key, token, find));
    extra_.push_back(std::move(token));
  }
  return Status();
}

// The id of a token that is new would depend on the order of keys in a file.
Status FolderTokens::RequireKnown(std::string_view key, const FolderToken& token, const FindEntry& find) const {
  if (find(token.content)) return Status();
  return settings_.Unsupported(key, "\"", token.content, "\" is not in the vocabulary");
}

// A token that is listed once more has the options it is listed with last.
Status FolderTokens::Relist(const FolderToken& token, bool normalized, const std::string& path,
                            json::Array& list) const {
  for (Json& value : list) {
    json::Object& entry = value.object();
    if (!entry["content"].Is(token.content)) continue;
    const Json* listed = entry.Find("normalized");
    if (listed == nullptr ? normalized : !listed->is_boolean() || listed->boolean() != normalized) {
      return Error(Code::kUnsupported, settings_.path, ": added token \"", token.content,
                   "\" differs in \"normalized\" from ", path);
    }
    entry["single_word"] = token.single_word;
    entry["lstrip"] = token.lstrip;
    entry["rstrip"] = token.rstrip;
  }
  return Status();
}

Status FolderTokens::AddTo(json::Array& list, const std::string& path, std::uint64_t next_id, std::size_t embeddings,
                           const FindEntry& find) {
  for (const Json& entry : list) {
    // The compiler checks it.
    const std::uint64_t id = entry.Find("id")->integer();
    next_id = std::max(next_id, id + 1);
    ids_.emplace(entry.Find("content")->string(), id);
  }
  std::vector<FolderToken> tokens = listed_;
  for (std::string_view key : kRoles) {
    auto it = special_.find(key);
    if (it != special_.end()) tokens.push_back(it->second);
  }
  tokens.insert(tokens.end(), extra_.begin(), extra_.end());
  std::set<std::string> named;
  for (const auto& [key, token] : special_) named.insert(token.content);
  const bool builds = builds_ != nullptr;
  const std::string_view first = ContentOf(special_, builds ? builds_->first : "cls_token");
  const std::string_view last = ContentOf(special_, builds ? builds_->last : "sep_token");
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const FolderToken& token = tokens[i];
    const bool special = token.special || named.contains(token.content);
    const bool normalized = token.normalized.value_or(!special);
    const bool listed = i < listed_.size();
    if (ids_.contains(token.content)) {
      if (listed) THIMBLE_RETURN_IF_ERROR(Relist(token, normalized, path, list));
      continue;
    }
    const std::uint64_t id = find(token.content).value_or(next_id);
    if (!listed && id >= embeddings && token.content != first && token.content != last) continue;
    next_id = std::max(next_id, id + 1);
    ids_.emplace(token.content, id);
    list.push_back(json::Object{{"id", id},
                                {"content", token.content},
                                {"single_word", token.single_word},
                                {"lstrip", token.lstrip},
                                {"rstrip", token.rstrip},
                                {"normalized", normalized}});
  }
  return Status();
}

}  // namespace thimble::convert
