// A plug-in: embeds a text with the thimble that it was linked with.

#include <span>

#include "thimble/embedder.h"

extern "C" {

// 0 when the text's vector is in `vector`.
int PluginEmbed(const char* path, float* vector, unsigned long dimensions) {
  auto model = thimble::Model::Open(path);
  if (!model.ok()) return 1;
  auto embedder = thimble::Embedder::Create(*model, {.threads = 2});
  return embedder.ok() && embedder->Embed("a text", std::span(vector, dimensions)).ok() ? 0 : 2;
}

// Differs between copies of thimble.
const void* PluginCopy() { return reinterpret_cast<const void*>(&thimble::CodeName); }
}
