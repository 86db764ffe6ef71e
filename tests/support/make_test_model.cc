// Writes random models for tests in Python and for benchmarks.
//
//   make_test_model FOLDER                small ones: FOLDER/source as a Hugging Face folder, and FOLDER/DTYPE files;
//                                         FOLDER/reranker, a cross-encoder, and FOLDER/reranker-q8
//   make_test_model FOLDER SHAPE DTYPE    one with the shape of a known model: FOLDER/SHAPE-DTYPE.safetensors

#include <sys/stat.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "format/dtypes.h"
#include "tests/support/test_model.h"
#include "thimble/convert.h"

namespace {

using thimble::Status;
using thimble::format::Dtype;

struct Shape {
  std::string_view name;
  std::size_t layers, hidden, heads;
  bool mpnet = false;
};

// bge-m3 has 24 layers; its first ones alone are larger than the caches of a processor.
constexpr Shape kShapes[] = {{"all-MiniLM-L6-v2", 6, 384, 12},
                             {"multilingual-e5-small", 12, 384, 12},
                             {"bge-base-en-v1.5", 12, 768, 12},
                             {"all-mpnet-base-v2", 12, 768, 12, true},
                             {"bge-m3-6-layers", 6, 1024, 16}};

Status WriteShape(const std::string& folder, std::string_view name, const std::string& dtype) {
  for (const Shape& shape : kShapes) {
    if (shape.name != name) continue;
    const thimble::test::TemporaryFolder source;
    const Status status = thimble::test::WriteTestModel(source.path(), {.hidden = shape.hidden,
                                                                        .layers = shape.layers,
                                                                        .heads = shape.heads,
                                                                        .intermediate = 4 * shape.hidden,
                                                                        .positions = 512,
                                                                        .max_seq_length = 512,
                                                                        .type = thimble::format::ElementType::kF16,
                                                                        .mpnet = shape.mpnet});
    if (!status.ok()) return status;
    thimble::ConvertOptions options;
    options.dtype = dtype;
    options.name = name;
    options.calibrate = false;
    return thimble::ConvertModel(source.path(), folder + "/" + options.name + "-" + dtype + ".safetensors", options);
  }
  std::string names;
  for (const Shape& shape : kShapes) names.append(names.empty() ? "" : ", ").append(shape.name);
  return Status(thimble::Code::kInvalidArgument, "unknown shape " + std::string(name) + ", expected " + names);
}

Status WriteSmall(const std::string& folder) {
  const std::string source = folder + "/source";
  if (mkdir(source.c_str(), 0777) != 0) return Status(thimble::Code::kIo, "cannot make " + source);
  Status status = thimble::test::WriteTestModel(source);
  if (status.ok()) {
    status = thimble::test::WriteFile(source + "/config_sentence_transformers.json",
                                      R"({"prompts": {"query": "query: ", "passage": "passage: "}})");
  }
  for (Dtype dtype : {Dtype::kFp32, Dtype::kFp16, Dtype::kQ8, Dtype::kQ6, Dtype::kQ4, Dtype::kQ4Small}) {
    if (!status.ok()) break;
    std::string file = folder + "/" + std::string(thimble::format::DtypeName(dtype)) + ".safetensors";
    thimble::ConvertOptions options;
    options.dtype = DtypeName(dtype);
    options.name = "test";
    options.calibrate = false;
    status = thimble::ConvertModel(source, file, options);
  }
  if (!status.ok()) return status;
  const std::string reranker = folder + "/reranker";
  if (mkdir(reranker.c_str(), 0777) != 0) return Status(thimble::Code::kIo, "cannot make " + reranker);
  status = thimble::test::WriteTestModel(reranker, {.labels = 1});
  if (!status.ok()) return status;
  return thimble::ConvertModel(reranker, reranker + "-q8.safetensors", {.name = "reranker", .calibrate = false});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) {
    std::fprintf(stderr, "usage: make_test_model FOLDER [SHAPE DTYPE]\n");
    return 2;
  }
  const Status status = argc == 2 ? WriteSmall(argv[1]) : WriteShape(argv[1], argv[2], argv[3]);
  if (!status.ok()) std::fprintf(stderr, "make_test_model: %s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
