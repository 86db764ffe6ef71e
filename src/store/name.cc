// Reading and writing names.

#include "store/name.h"

#include <algorithm>
#include <cctype>

#include "base/ascii.h"
#include "base/error.h"
#include "runtime/engines.h"

namespace thimble::store {
namespace {

constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
constexpr std::string_view kDigits = "0123456789ABCDEF";

// Whether it can be a part of a file's name and leads nowhere else.
bool IsPlain(std::string_view word) {
  return !word.empty() && word[0] != '.' && word.find_first_not_of(kPlain) == std::string_view::npos;
}

// The rules of git for names of branches and tags, as far as they keep a name from being mistaken for something else.
bool IsRevision(std::string_view text) {
  constexpr std::size_t kMaxBytes = 128;
  const auto bad = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F || std::string_view("~^:?*[\\@").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kMaxBytes && std::none_of(text.begin(), text.end(), bad) &&
         text.find("..") == std::string_view::npos && text.find("//") == std::string_view::npos && text[0] != '/' &&
         text[0] != '-' && text.back() != '/';
}

}  // namespace

std::string ModelName::Repository() const { return organisation.empty() ? name : organisation + "/" + name; }
std::string ModelName::Text() const { return revision.empty() ? Repository() : Repository() + "@" + revision; }

bool IsMockName(std::string_view model) {
  const runtime::EngineEntry* engine = runtime::FindEngine(model);
  return engine != nullptr && !engine->opens_files;
}

bool IsFileOrMock(std::string_view model) { return model.ends_with(".safetensors") || IsMockName(model); }

bool IsWrittenAsPath(std::string_view model) {
#ifdef _WIN32
  constexpr std::string_view kSlashes = "/\\";
  if (model.size() > 1 && model[1] == ':' && std::isalpha(static_cast<unsigned char>(model[0])) != 0) return true;
#else
  constexpr std::string_view kSlashes = "/";
#endif
  const std::size_t dots = model.starts_with("..") ? 2 : model.starts_with('.') ? 1 : 0;
  if (dots == model.size()) return dots > 0;
  return kSlashes.find(model[dots]) != std::string_view::npos;
}

Result<ModelName> ParseName(std::string_view model, std::string_view revision) {
  const std::size_t at = model.find('@');
  const std::string_view repository = model.substr(0, at);
  const std::string_view inside = at == std::string_view::npos ? std::string_view() : model.substr(at + 1);
  const std::size_t slash = repository.find('/');
  ModelName name;
  name.name = repository.substr(slash == std::string_view::npos ? 0 : slash + 1);
  if (slash != std::string_view::npos) name.organisation = repository.substr(0, slash);
  if (!IsPlain(name.name) || (slash != std::string_view::npos && !IsPlain(name.organisation)) || IsFileOrMock(model)) {
    return Error(
        Code::kInvalidArgument, "model \"", model,
        "\": expected a name such as all-MiniLM-L6-v2 or sentence-transformers/all-MiniLM-L6-v2, "
        "optionally with @REVISION; the path of a folder must begin with ./ or /, that of a model file must end in "
        ".safetensors");
  }
  for (std::string_view given :
       {at == std::string_view::npos ? "main" : inside, revision.empty() ? "main" : revision}) {
    if (IsRevision(given)) continue;
    return Error(Code::kInvalidArgument, "model \"", model, "\": expected a branch, tag or commit, found \"", given,
                 "\"");
  }
  if (at != std::string_view::npos && !revision.empty() && inside != revision) {
    return Error(Code::kInvalidArgument, "model \"", model, "\": `revision` is \"", revision,
                 "\"; give the revision once");
  }
  name.revision = at == std::string_view::npos ? revision : inside;
  if (name.revision == "main") name.revision.clear();
  return name;
}

bool SameWithoutCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return base::ToLower(x) == base::ToLower(y); });
}

bool IsHex(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool first_dot = c == '.' && escaped.empty();
    if (kPlain.find(c) != std::string_view::npos && !upper && !first_dot) {
      escaped += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      escaped += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return escaped;
}

std::optional<std::string> Unescaped(std::string_view part) {
  std::string text;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '%') {
      text += part[i];
      continue;
    }
    const std::size_t high = i + 2 < part.size() ? kDigits.find(part[i + 1]) : std::string_view::npos;
    const std::size_t low = i + 2 < part.size() ? kDigits.find(part[i + 2]) : std::string_view::npos;
    if (high == std::string_view::npos || low == std::string_view::npos) break;
    text += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return Escaped(text) == part ? std::optional(text) : std::nullopt;
}

std::string Quoted(const std::string& text) {
  const std::string plain = std::string(kPlain) + "/@";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string quoted = "'";
  for (char letter : text) quoted += letter == '\'' ? "'\\''" : std::string(1, letter);
  return quoted + "'";
}

}  // namespace thimble::store
