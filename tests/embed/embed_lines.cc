// Embeds the lines of a file, for tests of other processors, for which the command line is not built.
//
//   embed_lines MODEL FILE OUT
//
// OUT becomes little-endian float32 [lines][dimensions]; the instruction set is printed.

#include <cstdio>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/embedder.h"

namespace {

int Fail(const std::string& message) {
  std::fprintf(stderr, "embed_lines: %s\n", message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: embed_lines MODEL FILE OUT\n");
    return 2;
  }
  std::vector<std::string> lines;
  std::ifstream file(argv[2], std::ios::binary);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  auto model = thimble::Model::Open(argv[1]);
  if (!model.ok()) return Fail(model.status().message());
  auto embedder = thimble::Embedder::Create(*model);
  if (!embedder.ok()) return Fail(embedder.status().message());

  std::vector<std::string_view> texts(lines.begin(), lines.end());
  std::vector<float> vectors(texts.size() * embedder->dimensions());
  thimble::Status status = embedder->EmbedBatch(texts, vectors);
  if (!status.ok()) return Fail(status.message());
  std::ofstream out(argv[3], std::ios::binary);
  out.write(reinterpret_cast<const char*>(vectors.data()),
            static_cast<std::streamsize>(vectors.size() * sizeof(float)));
  if (!out.flush()) return Fail(std::string("cannot write ") + argv[3]);
  std::string_view isa = (*model)->isa();
  std::printf("%.*s\n", static_cast<int>(isa.size()), isa.data());
  return 0;
}
