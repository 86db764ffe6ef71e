// thimble convert: a Hugging Face folder to a model file.

#include "thimble/convert.h"

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "format/dtypes.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble convert ./all-MiniLM-L6-v2 model-q8.safetensors\n"
    "  thimble convert ./all-MiniLM-L6-v2 model-fp32.safetensors --dtype fp32 --name all-MiniLM-L6-v2\n"
    "\n"
    "SOURCE is a folder that sentence-transformers, transformers or optimum saved or that was downloaded, with\n"
    "weights in model.safetensors, pytorch_model.bin, their shards with an index, or an ONNX export.\n"
    "OUT appears only when it is complete. It must not be a file that is read.\n"
    "If the folder does not state pooling, limit or prompts, thimble has built-in values for some models; --pooling\n"
    "and --normalize state them otherwise. Each assumption is printed.\n"
    "q8 is nearly as exact as fp32 at a quarter of its size; q6, q4 and q4-small are smaller and less exact.\n"
    "The conversion uses the processors that the control group allows, of hybrid ones the performance cores, at most\n"
    "8. OUT does not depend on their number.\n";

}  // namespace

int RunConvert(int argc, char** argv) {
  std::string source, output;
  ConvertOptions options;
  Arguments arguments("convert", "Converts a Hugging Face folder to a model file.", kExamples);
  AddOption(arguments.app(), "source", source, "SOURCE", "Hugging Face folder")->required();
  AddOption(arguments.app(), "out", output, "OUT", "Model file to write")->required();
  AddOption(arguments.app(), "--dtype", options.dtype, "NAME", format::DtypeNames())->capture_default_str();
  AddOption(arguments.app(), "--name", options.name, "NAME", "Name to store; the last part of SOURCE if not given");
  AddOption(arguments.app(), "--calibrate", options.calibration_file, "FILE",
            "File with one text per line, used for rounding instead of the built-in texts");
  std::string pooling;
  bool normalize = false;
  AddOption(arguments.app(), "--pooling", pooling, "NAME",
            "Pooling of a SOURCE that does not state it: mean, cls, last, max, mean_sqrt_len_tokens or weightedmean");
  CLI::Option* normalize_option = arguments.app().add_flag("--normalize,!--no-normalize", normalize,
                                                           "Likewise: scale vectors to unit length or not");
  bool plain = false;
  arguments.app().add_flag("--no-calibration", plain, "Round each weight separately: faster, but less exact");
  if (auto code = arguments.Parse(argc, argv)) return *code;
  options.calibrate = !plain;

  if (!pooling.empty()) {
    auto parsed = ParsePooling(pooling);
    if (!parsed.ok()) return Fail("convert", parsed.status());
    options.pooling = *parsed;
  }
  if (normalize_option->count() > 0) options.normalize = normalize;
  Status status;
  {
    Progress progress(true);
    options.progress = [&progress](double share) {
      progress.Show(share, 0);
      return true;
    };
    options.note = [](std::string_view note) { Note("convert", note); };
    status = ConvertModel(source, output, options);
  }
  return Exit("convert", status);
}

}  // namespace thimble::cli
