// Writes models of random weights with the shapes of known ones, whose times are theirs.
//
//   bench_shapes FOLDER SHAPE DTYPE    writes FOLDER/SHAPE-DTYPE.safetensors

#include <cstdio>
#include <string>
#include <string_view>

#include "tests/support/test_model.h"
#include "thimble/convert.h"

namespace thimble::bench {
namespace {

struct Shape {
  std::string_view name;
  std::size_t layers, hidden, heads;
  bool mpnet = false;
  std::size_t labels = 0;  // Of a cross-encoder.
};

// bge-m3 has 24 layers; its first ones alone are larger than the caches of a processor.
constexpr Shape kShapes[] = {{"multilingual-e5-small", 12, 384, 12},
                             {"bge-base-en-v1.5", 12, 768, 12},
                             {"all-mpnet-base-v2", 12, 768, 12, true},
                             {"bge-m3-6-layers", 6, 1024, 16},
                             {"ms-marco-MiniLM-L6-v2", 6, 384, 12, false, 1}};

Status WriteShape(const std::string& folder, std::string_view name, const std::string& dtype) {
  for (const Shape& shape : kShapes) {
    if (shape.name != name) continue;
    const test::TemporaryFolder source;
    const Status status = test::WriteTestModel(source.path(), {.hidden = shape.hidden,
                                                               .layers = shape.layers,
                                                               .heads = shape.heads,
                                                               .intermediate = 4 * shape.hidden,
                                                               .positions = 512,
                                                               .max_seq_length = 512,
                                                               .type = format::ElementType::kF16,
                                                               .mpnet = shape.mpnet,
                                                               .labels = shape.labels});
    if (!status.ok()) return status;
    ConvertOptions options;
    options.dtype = dtype;
    options.name = name;
    options.calibrate = false;
    return ConvertModel(source.path(), folder + "/" + options.name + "-" + dtype + ".safetensors", options);
  }
  std::string names;
  for (const Shape& shape : kShapes) names.append(names.empty() ? "" : ", ").append(shape.name);
  return Status(Code::kInvalidArgument, "unknown shape " + std::string(name) + ", expected " + names);
}

}  // namespace
}  // namespace thimble::bench

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_shapes FOLDER SHAPE DTYPE\n");
    return 2;
  }
  const thimble::Status status = thimble::bench::WriteShape(argv[1], argv[2], argv[3]);
  if (!status.ok()) std::fprintf(stderr, "bench_shapes: %s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
