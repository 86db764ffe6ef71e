// thimble convert: a Hugging Face folder to a model file.

#include "convert/convert.h"

#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble convert ./all-MiniLM-L6-v2 model-q8.safetensors\n"
    "  thimble convert ./all-MiniLM-L6-v2 model-fp32.safetensors --dtype fp32 --name all-MiniLM-L6-v2\n"
    "\n"
    "SOURCE holds config.json, tokenizer.json, and model.safetensors or onnx/model.onnx, as downloaded.\n"
    "OUT appears only when complete.\n"
    "q8 is nearly as exact as fp32 at a quarter of its size; q6, q4 and q4-small are smaller still and less exact.\n";

}  // namespace

int RunConvert(int argc, char** argv) {
  std::string source, output, dtype_name = "q8";
  convert::Options options;
  Arguments arguments("convert", "Makes a model file from a Hugging Face folder.", kExamples);
  arguments.app().add_option("source", source, "Hugging Face folder")->type_name("SOURCE")->required();
  arguments.app().add_option("out", output, "Model file to write")->type_name("OUT")->required();
  arguments.app()
      .add_option("--dtype", dtype_name, "fp32, fp16, q8, q6, q4 or q4-small")
      ->type_name("NAME")
      ->capture_default_str();
  arguments.app()
      .add_option("--name", options.name, "Name to store; the last part of SOURCE if not given")
      ->type_name("NAME");
  if (auto code = arguments.Parse(argc, argv)) return *code;

  auto dtype = convert::ParseDtype(dtype_name);
  if (!dtype.ok()) return Fail("convert", dtype.status());
  options.dtype = *dtype;
  Status status;
  {
    Progress progress(true);
    options.progress = [&progress](double share) { progress.Show(share, 0); };
    status = convert::Convert(source, output, options);
  }
  return status.ok() ? kDone : Fail("convert", status);
}

}  // namespace thimble::cli
