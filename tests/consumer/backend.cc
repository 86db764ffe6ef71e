// An application that embeds with a backend: prints the length and the first value of a text's vector.

#include "thimble/backend.h"

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  auto backend = thimble::Backend::Open(argv[1], {.model = argv[2]});
  if (!backend.ok()) return std::puts(backend.status().message().c_str()), 1;
  const std::string_view text = argv[3];
  std::vector<thimble::Embedding> embeddings;
  const thimble::Status status = backend->Embed({&text, 1}, {}, embeddings);
  if (!status.ok()) return std::puts(status.message().c_str()), 1;
  std::printf("%zu %.9g\n", embeddings[0].vector.size(), embeddings[0].vector[0]);
}
