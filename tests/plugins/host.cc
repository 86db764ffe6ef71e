// A program with a thimble of its own that loads plug-ins which have theirs, and unloads them.
//
//   host MODEL PLUGIN...
//
// Prints "equal" for each plug-in whose vector has the bits of the program's, "own" where its copy is no other's, and
// "gone" where unloading it removed it.

#include <dlfcn.h>

#include <cstdio>
#include <set>
#include <span>
#include <vector>

#include "thimble/embedder.h"

namespace {

std::vector<float> Embed(const char* path) {
  auto model = thimble::Model::Open(path);
  if (!model.ok()) return {};
  std::vector<float> vector((*model)->dimensions());
  auto embedder = thimble::Embedder::Create(*model, {.threads = 2});
  return embedder.ok() && embedder->Embed("a text", vector).ok() ? vector : std::vector<float>();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<float> expected = Embed(argv[1]);
  for (int round = 0; round < 10; ++round) {
    std::set<const void*> copies = {reinterpret_cast<const void*>(&thimble::CodeName)};
    std::vector<void*> plugins;
    for (int i = 2; i < argc; ++i) {
      void* plugin = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
      if (plugin == nullptr) return std::puts(dlerror()), 1;
      plugins.push_back(plugin);
      const auto embed = reinterpret_cast<int (*)(const char*, float*, unsigned long)>(dlsym(plugin, "PluginEmbed"));
      const auto copy = reinterpret_cast<const void* (*)()>(dlsym(plugin, "PluginCopy"));
      std::vector<float> vector(expected.size());
      const bool equal = embed(argv[1], vector.data(), vector.size()) == 0 && vector == expected && !vector.empty();
      const bool own = copies.insert(copy()).second;
      if (round == 0) std::printf("%s %s\n", equal ? "equal" : "different", own ? "own" : "shared");
      if (!equal) return 1;
    }
    for (void* plugin : plugins) dlclose(plugin);
  }
  for (int i = 2; i < argc; ++i) std::puts(dlopen(argv[i], RTLD_NOW | RTLD_NOLOAD) == nullptr ? "gone" : "kept");
  return Embed(argv[1]) == expected ? 0 : 1;
}
