// thimble tokenize: texts to token ids.

#include <array>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/embed_texts.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "json/writer.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble tokenize -m model.safetensors \"unbelievable\"\n"
    "  thimble tokenize -m model.safetensors -i lines.txt --max-tokens 512\n"
    "\n"
    "Prints one line per text: {\"ids\":[101,...,102],\"tokens\":5,\"truncated\":false}\n";

Status Tokenize(const ModelOption& model_option, const SourceOptions& source, const TokenFlags& flags) {
  THIMBLE_ASSIGN_OR_RETURN(const TokenizeOptions options, flags.Options());
  THIMBLE_RETURN_IF_ERROR(source.Check());
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, model_option.Open());
  THIMBLE_ASSIGN_OR_RETURN(Input input, Input::Open(source));
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open("", std::array{input.file(), model_option.File()}));
  Progress progress(!output.is_terminal());
  Batch batch;
  std::string line;
  for (;;) {
    THIMBLE_RETURN_IF_ERROR(input.Next(batch));
    if (batch.texts.empty()) return output.Finish();
    for (std::size_t i = 0; i < batch.texts.size(); ++i) {
      THIMBLE_ASSIGN_OR_RETURN(Tokens tokens, model->Tokenize(batch.texts[i], options));
      const bool truncated = tokens.truncated || batch.cut[i];
      line.clear();
      json::Writer writer(line);
      writer.Open('{').Key("ids").Open('[');
      for (const std::int32_t id : tokens.ids) writer.Add(id);
      writer.Close(']').Member("tokens", tokens.ids.size()).Member("truncated", truncated).Close('}');
      line += '\n';
      THIMBLE_RETURN_IF_ERROR(output.Write(line));
    }
    THIMBLE_RETURN_IF_ERROR(output.Flush());
    ShowProgress(input, batch, progress);
  }
}

}  // namespace

int RunTokenize(int argc, char** argv) {
  ModelOption model;
  SourceOptions source;
  TokenFlags flags;
  Arguments arguments("tokenize", "Shows the token ids of texts, special tokens included.", kExamples);
  model.AddTo(arguments.app());
  source.AddTo(arguments);
  flags.AddTruncationTo(arguments.app());
  flags.AddPromptTo(arguments.app());
  if (auto code = arguments.Parse(argc, argv)) return *code;
  return Exit("tokenize", Tokenize(model, source, flags));
}

}  // namespace thimble::cli
