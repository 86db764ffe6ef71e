// Embeds two sentences and prints how alike they are.
//
//   example_embed MODEL FIRST SECOND

#include <cstdio>
#include <numeric>
#include <vector>

#include "thimble/embedder.h"

namespace {

int Fail(const thimble::Status& status) {
  std::fprintf(stderr, "example_embed: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: example_embed MODEL FIRST SECOND\n");
    return 2;
  }
  auto model = thimble::Model::Open(argv[1]);
  if (!model.ok()) return Fail(model.status());
  auto embedder = thimble::Embedder::Create(*model);
  if (!embedder.ok()) return Fail(embedder.status());

  std::vector<float> first(embedder->dimensions()), second(embedder->dimensions());
  auto report = embedder->Embed(argv[2], first, {.normalize = true});
  if (!report.ok()) return Fail(report.status());
  report = embedder->Embed(argv[3], second, {.normalize = true});
  if (!report.ok()) return Fail(report.status());
  std::printf("%.4f\n", std::inner_product(first.begin(), first.end(), second.begin(), 0.0));
  return 0;
}
