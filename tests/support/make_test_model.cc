// Writes small random models for the tests in Python: FOLDER/source as a Hugging Face folder with FOLDER/DTYPE files,
// and FOLDER/reranker, a cross-encoder, with FOLDER/reranker-q8.
//
//   make_test_model FOLDER

#include <sys/stat.h>

#include <cstdio>
#include <string>

#include "format/dtypes.h"
#include "tests/support/test_model.h"
#include "thimble/convert.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_test_model FOLDER\n");
    return 2;
  }
  const std::string folder = argv[1], source = folder + "/source";
  if (mkdir(source.c_str(), 0777) != 0) {
    std::fprintf(stderr, "make_test_model: cannot make %s\n", source.c_str());
    return 1;
  }
  thimble::Status status = thimble::test::WriteTestModel(source);
  if (status.ok()) {
    status = thimble::test::WriteFile(source + "/config_sentence_transformers.json",
                                      R"({"prompts": {"query": "query: ", "passage": "passage: "}})");
  }
  using thimble::format::Dtype;
  for (Dtype dtype : {Dtype::kFp32, Dtype::kFp16, Dtype::kQ8, Dtype::kQ6, Dtype::kQ4, Dtype::kQ4Small}) {
    if (!status.ok()) break;
    std::string file = folder + "/" + std::string(thimble::format::DtypeName(dtype)) + ".safetensors";
    thimble::ConvertOptions options;
    options.dtype = DtypeName(dtype);
    options.name = "test";
    options.calibrate = false;
    status = thimble::ConvertModel(source, file, options);
  }
  if (status.ok()) {
    const std::string reranker = folder + "/reranker";
    if (mkdir(reranker.c_str(), 0777) == 0) status = thimble::test::WriteTestModel(reranker, {.labels = 1});
    if (status.ok()) {
      status = thimble::ConvertModel(reranker, reranker + "-q8.safetensors", {.name = "reranker", .calibrate = false});
    }
  }
  if (!status.ok()) std::fprintf(stderr, "make_test_model: %s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
