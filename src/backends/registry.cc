// Reads names of backends, and makes what they name.

#include "backends/registry.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "backends/chain.h"
#include "backends/client.h"
#include "backends/local.h"
#include "base/error.h"

namespace thimble::backends {
namespace {

constexpr std::size_t kMaxNames = 16;
constexpr std::size_t kMaxDimensions = 65536;
constexpr std::size_t kMaxConcurrency = 64;
constexpr std::size_t kMaxRetries = 100;

std::string AllNames() {
  std::string names;
  for (const runtime::EngineEntry& engine : runtime::kEngines) names += std::string(engine.name) + ", ";
  for (const auto& [name, dialect] : TheTable().dialects) {
    names += name + (dialect.argument_is_url ? ":URL, " : ":MODEL, ");
  }
  return names + "or several with commas between";
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Where "@http://..." or "@https://..." begins; npos when there is none.
std::size_t FindUrl(std::string_view text) { return std::min(text.find("@http://"), text.find("@https://")); }

Result<BackendName> ParseName(std::string_view text) {
  text = Trimmed(text);
  BackendName parsed;
  const std::size_t colon = std::min(text.find_first_of(":@"), text.size());
  parsed.name = text.substr(0, colon);
  parsed.engine = runtime::FindEngine(text);
  if (parsed.engine != nullptr) return parsed;
  const auto found = TheTable().dialects.find(parsed.name);
  if (found == TheTable().dialects.end()) {
    // What follows a colon may be an address with a password in it.
    return Error(Code::kInvalidArgument, "backend: expected ", AllNames(), ", found \"", parsed.name.substr(0, 100),
                 colon < text.size() ? "...\"" : "\"");
  }
  parsed.dialect = &found->second;
  std::string_view argument = text.substr(colon);
  if (argument.starts_with(':')) argument.remove_prefix(1);
  if (parsed.dialect->argument_is_url) {
    parsed.url = argument.starts_with('@') ? argument.substr(1) : argument;
    return parsed;
  }
  const std::size_t url = std::min(FindUrl(argument), argument.size());
  parsed.model = argument.substr(0, url);
  if (url < argument.size()) parsed.url = argument.substr(url + 1);
  return parsed;
}

Status CheckOptions(const BackendOptions& options, bool has_remote) {
  if (!has_remote) {
    const std::pair<std::string_view, bool> remote_only[] = {
        {"base_url", !options.base_url.empty()},          {"encoding", !options.encoding.empty()},
        {"request_texts", options.request_texts != 0},    {"concurrency", options.concurrency != 0},
        {"max_retries", options.max_retries.has_value()}, {"space", !options.space.empty()}};
    for (const auto& [name, given] : remote_only) {
      if (given) return Error(Code::kUnsupported, "`", name, "`: only remote backends accept it");
    }
    return Status();
  }
  const auto within = [](std::string_view name, std::size_t value, std::size_t most) {
    return value <= most ? Status()
                         : Error(Code::kInvalidArgument, "`", name, "`: expected at most ", most, ", found ", value);
  };
  THIMBLE_RETURN_IF_ERROR(within("dimensions", options.dimensions, kMaxDimensions));
  THIMBLE_RETURN_IF_ERROR(within("concurrency", options.concurrency, kMaxConcurrency));
  return within("max_retries", options.max_retries.value_or(0), kMaxRetries);
}

}  // namespace

Result<std::vector<BackendName>> ParseNames(std::string_view names) {
  const std::string chosen = runtime::ChosenBackends();
  if (names.empty()) names = chosen;
  std::vector<BackendName> parsed;
  for (std::size_t begin = 0; begin <= names.size();) {
    const std::size_t end = std::min(names.find(',', begin), names.size());
    if (parsed.size() == kMaxNames)
      return Error(Code::kInvalidArgument, "`backend`: expected at most ", kMaxNames, " names");
    THIMBLE_ASSIGN_OR_RETURN(BackendName name, ParseName(names.substr(begin, end - begin)));
    parsed.push_back(std::move(name));
    begin = end + 1;
  }
  return parsed;
}

Result<std::unique_ptr<Member>> MakeBackend(std::string_view names, const BackendOptions& options,
                                            std::shared_ptr<Environment> environment) {
  THIMBLE_ASSIGN_OR_RETURN(const std::vector<BackendName> parsed, ParseNames(names));
  const auto is_remote = [](const BackendName& name) { return name.dialect != nullptr; };
  const auto remotes = std::count_if(parsed.begin(), parsed.end(), is_remote);
  THIMBLE_RETURN_IF_ERROR(CheckOptions(options, remotes > 0));
  const bool has_url =
      std::any_of(parsed.begin(), parsed.end(), [](const BackendName& name) { return !name.url.empty(); });
  if (!options.base_url.empty() && (remotes > 1 || has_url)) {
    return Error(Code::kInvalidArgument, "`base_url`: with several remote backends, or with a URL in the name of one, ",
                 "put each URL into its name: openai:MODEL@URL");
  }
  std::vector<std::unique_ptr<Member>> members;
  for (const BackendName& name : parsed) {
    if (name.engine != nullptr) {
      members.push_back(std::make_unique<Local>(*name.engine, options));
      continue;
    }
    const bool takes_model = !name.dialect->model_field.empty();
    const std::string model = !takes_model ? "" : name.model.empty() ? options.model : name.model;
    THIMBLE_ASSIGN_OR_RETURN(
        std::unique_ptr<Client> client,
        Client::Create(*name.dialect, model, name.url.empty() ? options.base_url : name.url, options, environment));
    members.push_back(std::move(client));
  }
  THIMBLE_ASSIGN_OR_RETURN(std::unique_ptr<Chain> chain,
                           Chain::Create(std::move(members), !options.space.empty(), options.dimensions));
  return std::unique_ptr<Member>(std::move(chain));
}

}  // namespace thimble::backends
