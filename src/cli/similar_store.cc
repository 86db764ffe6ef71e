// The vector of a query, compared with those of a store.

#include "cli/similar_store.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "cli/output.h"
#include "cli/process_plan.h"
#include "cli/prompts.h"
#include "json/writer.h"
#include "thimble/precision.h"
#include "thimble/receipt.h"

namespace thimble::cli {
namespace {

// The headings of a chunk, from the outermost one.
std::vector<std::string> HeadingsOf(const sync::Match& match) {
  std::vector<std::string> headings;
  for (std::size_t begin = 0; begin < match.heading.size();) {
    const std::size_t end = std::min(match.heading.find('\n', begin), match.heading.size());
    headings.push_back(match.heading.substr(begin, end - begin));
    begin = end + 1;
  }
  return headings;
}

std::string JsonLine(const sync::Match& match, const std::optional<double>& percentile) {
  json::Array headings;
  for (std::string& heading : HeadingsOf(match)) headings.emplace_back(std::move(heading));
  std::string line;
  json::Writer writer(line);
  writer.Open('{').Member("cosine", match.cosine);
  writer.Member("percentile", percentile ? json::Value(*percentile) : json::Value());
  writer.Member("file", match.path).Member("first_line", match.first_line).Member("last_line", match.last_line);
  writer.Member("heading", std::move(headings)).Member("text", match.text).Close('}');
  return line + "\n";
}

std::string TextLine(const sync::Match& match, const std::optional<double>& percentile) {
  char numbers[64], *rest = numbers + std::snprintf(numbers, 32, "%.4f\t", match.cosine);
  std::snprintf(rest, 32, percentile ? "%.2f\t" : "-\t", percentile.value_or(0));
  std::string headings;
  for (const std::string& heading : HeadingsOf(match)) headings += (headings.empty() ? "" : " > ") + heading;
  return numbers + OneLine(match.path) + ":" + std::to_string(match.first_line) + "-" +
         std::to_string(match.last_line) + "\t" + OneLine(std::move(headings)) + "\t" + OneLine(match.text) + "\n";
}

}  // namespace

Result<std::shared_ptr<const Model>> OpenModelOf(const std::string& store, const sync::StoreSpace& space,
                                                 ModelOption& option) {
  if (option.given()) return option.Open();
  std::error_code error;
  const bool file = std::filesystem::is_regular_file(space.model, error);
  option.Set(space.model, file ? "" : space.dtype);  // Another file in its place is known by its fingerprint.
  Result<std::shared_ptr<const Model>> model = option.Open();
  if (model.ok()) return model;
  return Error(model.status().code(), store, ": the store's model: ", model.status().message(),
               "; -m MODEL names it elsewhere");
}

Status CheckStoreFlags(const CLI::App& app) {
  for (const char* name : {"--dimensions", "--prompts", "--field", "--backend", "--base-url", "--space", "--timeout"}) {
    if (app.count(name) > 0) {
      return Error(Code::kInvalidArgument, name,
                   " has no effect with --store, which is searched as thimble sync made it");
    }
  }
  if (app.count("file") > 0) return Error(Code::kInvalidArgument, "expected a FILE or --store STORE, found both");
  return Status();
}

Status SimilarStore(ModelOption& model_option, const std::string& query, const std::string& store_path,
                    const EmbedderFlags& flags, std::size_t top, bool as_json) {
  sync::Store store;
  THIMBLE_RETURN_IF_ERROR(store.OpenToRead(store_path));
  const sync::StoreSpace& space = store.space();
  THIMBLE_ASSIGN_OR_RETURN(EmbedderOptions options, flags.Options());
  THIMBLE_ASSIGN_OR_RETURN(VectorOptions vectors, flags.Vectors());
  vectors.normalize = true;  // A dot product is then the cosine.
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, OpenModelOf(store_path, space, model_option));
  if (space.dimensions != model->dimensions()) vectors.dimensions = space.dimensions;
  if (space.prompts != 0) {
    THIMBLE_ASSIGN_OR_RETURN(const PromptPair pair, FindPrompts(model->info()));
    vectors.prompt_name = pair.query;
  }
  // Another model may have fewer dimensions, so that it has no such space.
  const Result<std::string> fingerprint = SpaceFingerprint(model->info(), vectors);
  if (!fingerprint.ok() || *fingerprint != space.fingerprint) {
    return Error(Code::kInvalidArgument, store_path, ": the store was made with the model ", space.model, " (",
                 space.dtype, ", fingerprint ", space.fingerprint, "), found ", model->info().name, " (",
                 model->info().dtype, ", fingerprint ", fingerprint.ok() ? *fingerprint : "of other dimensions",
                 "); vectors of different models cannot be compared");
  }
  std::optional<Receipt> receipt;  // Its percentiles are of the model's own vectors.
  if (!vectors.dimensions) {
    THIMBLE_ASSIGN_OR_RETURN(receipt, ReadReceipt(*model));
  }
  THIMBLE_ASSIGN_OR_RETURN(const ProcessPlan process, PlanThisProcess(*model, options));
  options.max_memory = process.max_model;
  THIMBLE_ASSIGN_OR_RETURN(Embedder embedder, Embedder::Create(std::move(model), options));
  NoteThreads("similar", embedder.plan(), options.threads);
  std::vector<float> wanted(space.dimensions);
  const Result<Report> report = embedder.Embed(query, wanted, vectors);
  if (!report.ok()) return report.status();
  embedder.Release();
  THIMBLE_ASSIGN_OR_RETURN(const std::vector<sync::Match> matches, sync::Search(store, wanted, top));
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open(""));
  for (const sync::Match& match : matches) {
    std::optional<double> percentile;
    if (receipt && receipt->unrelated) percentile = Percentile(*receipt->unrelated, match.cosine);
    THIMBLE_RETURN_IF_ERROR(output.Write(as_json ? JsonLine(match, percentile) : TextLine(match, percentile)));
  }
  return output.Finish();
}

}  // namespace thimble::cli
