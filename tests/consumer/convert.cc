// An application that converts a folder: prints the dtype and the dimensions of the model file that it makes.

#include "thimble/convert.h"

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  double done = 0;
  const auto progress = [&](double share) { return share >= done && (done = share, true); };
  const thimble::Status status = thimble::ConvertModel(argv[1], argv[2], {.dtype = "q6", .progress = progress});
  if (!status.ok()) return std::puts(status.message().c_str()), 1;
  const auto model = thimble::Model::Open(argv[2], {.verify = true});
  if (!model.ok()) return std::puts(model.status().message().c_str()), 1;
  std::printf("%s %s %zu %.0f\n", (*model)->info().name.c_str(), (*model)->info().dtype.c_str(), (*model)->dimensions(),
              done);
}
