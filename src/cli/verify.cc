// thimble verify: whether a model file is whole and still gives the vectors of its receipt.

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "thimble/receipt.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble verify model.safetensors\n"
    "  THIMBLE_ISA=avx2 thimble verify model.safetensors\n"
    "\n"
    "Reads the whole file, compares the hash of its weights with the recorded one, embeds the texts of the receipt\n"
    "and compares the vectors bit by bit. The exit code is 1 if anything differs or the file has no receipt.\n";

// The text in one line, cut where it is long.
std::string Shown(const std::string& text) {
  constexpr std::size_t kMost = 60;
  std::size_t size = std::min(text.size(), kMost);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return "\"" + text.substr(0, size) + (size < text.size() ? "...\"" : "\"");
}

Status Verify(const ModelOption& model_option) {
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, model_option.Open());
  THIMBLE_ASSIGN_OR_RETURN(Verification found, thimble::Verify(model));
  const std::string goldens = std::to_string(found.goldens);
  if (found.ok()) {
    THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open("", std::array{model_option.File()}));
    THIMBLE_RETURN_IF_ERROR(output.Write(model->info().name + ": the weights match the recorded hash, and " + goldens +
                                         " of " + goldens + " vectors are identical, bit for bit, on " +
                                         std::string(model->isa()) + "\n"));
    return output.Finish();
  }
  std::string message = model->info().name + " " + model->info().dtype + ":";
  if (!found.weights_match) message += "\n  the weights do not match the recorded hash: the file was modified";
  if (!found.differences.empty()) {
    message += "\n  " + std::to_string(found.differences.size()) + " of " + goldens + " vectors differ on " +
               std::string(model->isa());
  }
  for (const Verification::Difference& difference : found.differences) {
    message += "\n  " + Shown(difference.text) + ": by up to " + std::to_string(difference.largest);
  }
  return Status(Code::kCorrupt, message);
}

}  // namespace

int RunVerify(int argc, char** argv) {
  ModelOption model;
  Arguments arguments("verify", "Checks a model file against its receipt.", kExamples);
  model.AddAsArgument(arguments.app());
  if (auto code = arguments.Parse(argc, argv)) return *code;
  return Exit("verify", Verify(model));
}

}  // namespace thimble::cli
