// Stands for a program with another version of thimble, whose functions every library in the process can see.

#include <dlfcn.h>

#include <cstdio>

#include "thimble/model.h"

namespace thimble {

Result<std::shared_ptr<const Model>> Model::Open(const std::string&) {
  std::puts("the program's function was called by the plug-in");
  return Status(Code::kIo, "wrong");
}
std::string_view CodeName(Code) { return "wrong"; }

}  // namespace thimble

int main(int, char** argv) {
  void* plugin = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) return std::puts(dlerror()), 1;
  float vector[64];
  const auto embed = reinterpret_cast<int (*)(const char*, float*, unsigned long)>(dlsym(plugin, "PluginEmbed"));
  const int code = embed(argv[1], vector, sizeof vector / sizeof *vector);
  std::printf("%d\n", code);
  return code;
}
