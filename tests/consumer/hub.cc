// An application that gets a model: prints the path of the one that it makes of a folder.

#include "thimble/hub.h"

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto pulled = thimble::PullModel(argv[1], {.dtype = "q4", .folder = argv[2]});
  if (!pulled.ok()) return std::puts(pulled.status().message().c_str()), 1;
  std::puts(pulled->model.path.c_str());
}
