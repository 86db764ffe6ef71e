// thimble embed: texts to vectors.

#include <array>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/embed_job.h"
#include "cli/embed_texts.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process_plan.h"
#include "cli/progress.h"
#include "cli/vector_writer.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble embed -m model.safetensors \"a short text\" \"another\"\n"
    "  thimble embed -m all-MiniLM-L6-v2 --dtype q4 \"a short text\"\n"
    "  thimble embed -m model.safetensors -i lines.txt -o vectors.npy\n"
    "  thimble embed -m model.safetensors -i corpus.csv --id-field id -o vectors.npy --precision float16 --resume\n"
    "  thimble embed -m model.safetensors -i articles.jsonl --field title > vectors.jsonl\n"
    "  tail -f log | thimble embed -m model.safetensors -i -\n"
    "  thimble embed -m e5-small-v2.safetensors --prompt-name query --long-texts chunk \"a question\"\n"
    "  thimble embed -m model.safetensors --dimensions 128 --precision int8 -i lines.txt --format npy -o codes.npy\n"
    "  thimble embed --backend openai:text-embedding-3-small --dimensions 256 \"a short text\"\n"
    "\n"
    "Results are in the order of the input, and memory does not grow with their number. thimble embeds at most the\n"
    "first 64 KiB of a line and marks the text as truncated; a line of JSON may have up to 4 MiB, less with a small\n"
    "--max-memory. Files are UTF-8; other bytes are an error that names the line.\n"
    "--long-texts decides about texts that exceed the token limit: truncate them, fail, or embed them in chunks,\n"
    "which are overlapping windows whose vectors are averaged.\n"
    "Formats: jsonl is one object per line with embedding, tokens, truncated, and chunks if --long-texts is chunk;\n"
    "json is one array of these objects; npy is a NumPy array [texts][dimensions]; raw is its data alone,\n"
    "little-endian, and f32 the same for floats only.\n"
    "With -i FILE and -o FILE it is a job: FILE.manifest.json says what was done, and after an end by force --resume "
    "goes\n"
    "on with FILE.part, without a vector lost or doubled. Files .csv and .tsv need a header; --field names the column\n"
    "of the text, --id-field that of an id, which goes into the rows of jsonl and otherwise into FILE.ids.jsonl.\n"
    "--dedupe embeds equal texts once. See docs/bulk.md.\n"
    "--dimensions N keeps the first N components and normalises again, for models trained for it (Matryoshka).\n"
    "--precision float16 rounds to half the bytes. int8 and uint8 give a byte per component, by a range in the model "
    "file, with the cosines of the\n"
    "vectors (uint8 after subtracting 128); binary and ubinary a bit per component, packed as by numpy.packbits.\n"
    "--cache FILE keeps vectors, so that a text which was embedded before, with this model or another, is looked up.\n"
    "Remote backends read their key from the environment, for example OPENAI_API_KEY or the file\n"
    "OPENAI_API_KEY_FILE. If a remote backend fails, the vectors received so far are still written; json and jsonl\n"
    "contain null for the others.\n";

// How vectors are written, as the flags name it.
struct FormFlags {
  std::string format, precision = "float32";

  Result<VectorForm> Form(const std::string& output) const {
    VectorForm form;
    THIMBLE_ASSIGN_OR_RETURN(form.precision, ParsePrecision(precision));
    if (format.empty()) {
      THIMBLE_ASSIGN_OR_RETURN(form.format, bulk::VectorFormatOf(output, form.precision));
    } else {
      THIMBLE_ASSIGN_OR_RETURN(form.format, bulk::ParseVectorFormat(format, form.precision));
    }
    return form;
  }
};

Status Embed(const ModelOption& model_option, const SourceOptions& source, const EmbedderFlags& flags,
             const FormFlags& form_flags, const std::string& output_path) {
  THIMBLE_ASSIGN_OR_RETURN(VectorForm form, form_flags.Form(output_path));
  THIMBLE_ASSIGN_OR_RETURN(EmbedderOptions options, flags.Options());
  THIMBLE_ASSIGN_OR_RETURN(VectorOptions vectors, flags.Vectors());
  THIMBLE_RETURN_IF_ERROR(source.Check());
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, model_option.Open());
  THIMBLE_ASSIGN_OR_RETURN(ProcessPlan process, PlanThisProcess(*model, options));
  options.max_memory = process.max_model;
  THIMBLE_ASSIGN_OR_RETURN(form.range, FindCodeRange(model->info(), form.precision, vectors));
  THIMBLE_ASSIGN_OR_RETURN(Embedder embedder, Embedder::Create(std::move(model), options));
  NoteThreads("embed", embedder.plan(), options.threads);
  THIMBLE_ASSIGN_OR_RETURN(Input input, Input::Open(source, process.limits));
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open(output_path, std::array{input.file(), model_option.File()}));

  std::optional<std::uint64_t> rows;
  if (source.input.empty()) rows = source.texts.size();
  const std::size_t dimensions = vectors.dimensions.value_or(embedder.dimensions());
  VectorWriter writer(output, form, dimensions, rows, vectors.long_texts == LongTexts::kChunk);
  THIMBLE_RETURN_IF_ERROR(writer.Begin());
  Progress progress(!output.is_terminal());
  auto take = [&](const Batch&, std::span<const float> values, std::span<const Report> reports) -> Status {
    for (std::size_t i = 0; i < reports.size(); ++i) {
      THIMBLE_RETURN_IF_ERROR(writer.Add(values.subspan(i * dimensions, dimensions), reports[i]));
    }
    return output.Flush();  // Whoever reads a pipe gets what is done.
  };
  THIMBLE_RETURN_IF_ERROR(EmbedTexts(input, embedder, vectors, progress, take));
  THIMBLE_RETURN_IF_ERROR(writer.End());
  return output.Finish();
}

// Writes what a remote backend gives, and after a failure what it gave before.
class RemoteResults {
 public:
  RemoteResults(Output& output, const VectorForm& form, std::optional<std::uint64_t> rows, std::size_t dimensions)
      : output_(output), form_(form), rows_(rows), dimensions_(dimensions) {}

  Status Add(const Batch& batch, std::span<const Embedding> embeddings) {
    for (const Embedding& embedding : embeddings) has_any_ |= !embedding.vector.empty();
    if (!has_any_) return Status();
    for (std::size_t i = 0; i < embeddings.size(); ++i) {
      const Embedding& embedding = embeddings[i];
      if (!embedding.vector.empty()) dimensions_ = embedding.vector.size();
      THIMBLE_RETURN_IF_ERROR(Begin());
      // Rows of an array have no other place than their order.
      if (embedding.vector.empty() && form_.format != VectorFormat::kJson && form_.format != VectorFormat::kJsonl)
        break;
      VectorFacts facts = {embedding.tokens, embedding.truncated, embedding.chunks};
      if (batch.cut[i]) facts.truncated = true;
      THIMBLE_RETURN_IF_ERROR(writer_->Add(embedding.vector, facts));
    }
    return output_.Flush();
  }
  bool has_any() const { return has_any_; }
  Status End() {
    THIMBLE_RETURN_IF_ERROR(Begin());
    THIMBLE_RETURN_IF_ERROR(writer_->End());
    return output_.Finish();
  }

 private:
  Status Begin() {
    if (writer_) return Status();
    writer_.emplace(output_, form_, dimensions_, rows_, false);
    return writer_->Begin();
  }

  Output& output_;
  const VectorForm form_;
  const std::optional<std::uint64_t> rows_;
  std::size_t dimensions_;
  bool has_any_ = false;
  std::optional<VectorWriter> writer_;
};

Status EmbedRemote(const BackendFlags& backend_flags, const ModelOption& model, const SourceOptions& source,
                   const EmbedderFlags& flags, const FormFlags& form_flags, const std::string& output_path) {
  THIMBLE_ASSIGN_OR_RETURN(const VectorForm form, form_flags.Form(output_path));
  if (form.precision == Precision::kInt8 || form.precision == Precision::kUint8) {
    return Error(Code::kUnsupported, "--precision ", PrecisionName(form.precision), ": only native backends have the ",
                 "range of a model's components; use float16, binary or ubinary");
  }
  THIMBLE_RETURN_IF_ERROR(source.Check());
  THIMBLE_ASSIGN_OR_RETURN(const EmbedderOptions options, flags.RemoteOptions());
  THIMBLE_ASSIGN_OR_RETURN(const VectorOptions vectors, flags.Vectors());
  THIMBLE_ASSIGN_OR_RETURN(const BackendCall call, backend_flags.Call(vectors));
  THIMBLE_ASSIGN_OR_RETURN(Backend backend, backend_flags.Open(model, options, vectors));
  THIMBLE_ASSIGN_OR_RETURN(Input input, Input::Open(source, kRemoteLimits));
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open(output_path, std::array{input.file(), model.File()}));
  std::optional<std::uint64_t> rows;
  if (source.input.empty()) rows = source.texts.size();
  RemoteResults results(output, form, rows, vectors.dimensions.value_or(0));
  Progress progress(!output.is_terminal());
  const Status status = EmbedRemoteTexts(
      input, backend, call, progress,
      [&](const Batch& batch, std::span<const Embedding> embeddings) { return results.Add(batch, embeddings); });
  // What came was paid for; where nothing came, a file named stays as it was.
  const Status written = status.ok() || results.has_any() ? results.End() : Status();
  return status.ok() ? written : status;
}

}  // namespace

int RunEmbed(int argc, char** argv) {
  ModelOption model;
  SourceOptions source;
  EmbedderFlags flags;
  BackendFlags backend;
  FormFlags form;
  JobFlags job;
  std::string output;
  Arguments arguments("embed", "Turns texts into vectors.", kExamples);
  model.AddOptionalTo(arguments.app());
  source.AddTo(arguments);
  CLI::Option* output_option = arguments.app().add_option(
      "-o,--output", output, "File to write, which must not be one that is read; standard output if not given");
  output_option->type_name("FILE");
  AddOption(arguments.app(), "--format", form.format, "NAME",
            "json, jsonl, npy, f32 or raw; what FILE ends in, or jsonl, if not given");
  AddOption(arguments.app(), "--precision", form.precision, "NAME", "float32, float16, int8, uint8, binary or ubinary")
      ->capture_default_str();
  job.AddTo(arguments.app());
  flags.AddVectorsTo(arguments.app());
  flags.AddDimensionsTo(arguments.app());
  flags.AddLongTextsTo(arguments.app());
  flags.AddTo(arguments.app());
  flags.AddCacheTo(arguments.app());
  backend.AddTo(arguments);
  if (auto code = arguments.Parse(argc, argv)) return *code;
  if (output_option->count() > 0 && output.empty()) {
    return Fail("embed", Error(Code::kInvalidArgument, "--output: the name is empty; use - for standard output"));
  }
  const Result<bool> remote = backend.Choose();
  if (!remote.ok()) return Fail("embed", remote.status());
  if (const std::string why_not = *remote ? "a remote backend" : WhyNoJob(source, output, form.format);
      !why_not.empty()) {
    if (const Status unused = job.CheckUnused(why_not); !unused.ok()) return Fail("embed", unused);
  } else {
    const JobForm job_form = {form.format, form.precision, output};
    const Result<bool> fits = EmbedJob(model, source, flags, job, job_form);
    if (!fits.ok() || *fits) return Exit("embed", fits.status());
  }
  return Exit("embed", *remote ? EmbedRemote(backend, model, source, flags, form, output)
                               : Embed(model, source, flags, form, output));
}

}  // namespace thimble::cli
