// Choosing an engine.

#include "runtime/engines.h"

#include <algorithm>

#include "base/environment.h"
#include "base/error.h"
#include "format/dtypes.h"
#include "runtime/engine.h"

namespace thimble::runtime {
namespace {

// The first of the chosen backends that `is_wanted`; null when there is none.
template <typename IsWanted>
const EngineEntry* FindChosen(IsWanted&& is_wanted) {
  const std::string chosen = ChosenBackends();
  for (std::string_view names = chosen; !names.empty();) {
    const std::size_t end = std::min(names.find(','), names.size());
    const EngineEntry* engine = FindEngine(names.substr(0, end));
    if (engine != nullptr && is_wanted(*engine)) return engine;
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return nullptr;
}

const EngineEntry* FindOpenerOfFiles() {
  return FindChosen([](const EngineEntry& engine) { return engine.opens_files; });
}

}  // namespace

Status Engine::CheckDtype(std::string_view dtype) const {
  if (dtype.empty()) return Status();
  THIMBLE_RETURN_IF_ERROR(format::ParseDtype(dtype).status());
  if (file() == nullptr || dtype == info().dtype) return Status();
  return Error(Code::kInvalidArgument, "model ", info().name, ": dtype: expected ", info().dtype,
               ", which the file has, or none, found ", dtype);
}

const EngineEntry* FindEngine(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kEngines), std::end(kEngines), [&](const auto& engine) { return engine.name == name; });
  return found == std::end(kEngines) ? nullptr : found;
}

std::string ChosenBackends() {
  std::string chosen = base::Environment("THIMBLE_BACKEND");
  return chosen.empty() ? std::string(kEngines[0].name) : chosen;
}

bool FilesAreReplaced() { return FindOpenerOfFiles() == nullptr; }

Result<std::unique_ptr<const Engine>> OpenEngine(const std::string& path, const OpenOptions& options) {
  const EngineEntry* named = FindEngine(path);
  if (named != nullptr && named->opens_files) named = nullptr;  // A file of that name.
  if (const EngineEntry* engine = FindOpenerOfFiles()) return (named != nullptr ? named : engine)->open(path, options);
  const std::string chosen = ChosenBackends();
  if (const EngineEntry* engine = FindEngine(chosen)) return engine->open(std::string(engine->name), options);
  if (named != nullptr && FindChosen([&](const EngineEntry& engine) { return &engine == named; }) != nullptr) {
    return named->open(path, options);
  }
  std::string names;
  for (const EngineEntry& engine : kEngines) {
    names.append(names.empty() ? "" : &engine == std::end(kEngines) - 1 ? " or " : ", ").append(engine.name);
  }
  // What follows a colon may be an address with a password in it.
  const std::size_t colon = chosen.find(':');
  return Error(Code::kInvalidArgument, "THIMBLE_BACKEND: expected ", names, ", found \"", chosen.substr(0, colon),
               colon == std::string_view::npos ? "" : ":...",
               "\"; only thimble embed, thimble similar and Backend of backend.h accept remote backends");
}

}  // namespace thimble::runtime
