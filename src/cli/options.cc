// Shared options of the commands.

#include "cli/options.h"

#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/checked.h"
#include "base/error.h"
#include "cli/backend_flags.h"
#include "cli/progress.h"
#include "thimble/cache.h"
#include "thimble/hub.h"

namespace thimble::cli {

Arguments::Arguments(std::string_view command, const std::string& description, const std::string& examples)
    : app_(description, "thimble " + std::string(command)) {
  app_.footer("Examples:\n" + examples + "\nExit codes: 0 done, 1 failed, 2 wrong use.");
  app_.get_formatter()->column_width(28);
}

std::optional<int> Arguments::Parse(int argc, char** argv) {
  try {
    app_.parse(argc, argv);
    // CLI11 2.4 passes over values of the environment that an option does not take.
    for (const CLI::Option* option : app_.get_options()) {
      const std::string name = option->get_envname();
      const char* value = name.empty() ? nullptr : std::getenv(name.c_str());
      if (value == nullptr || *value == '\0' || option->count() > 0) continue;
      throw CLI::ValidationError(name,
                                 std::string("\"") + value + "\" is nothing that " + option->get_name() + " takes");
    }
  } catch (const CLI::CallForHelp&) {
    return std::fputs(app_.help().c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? kFailed : kDone;
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "%s: %s (see --help)\n", app_.get_name().c_str(), error.what());
    return kWrongUse;
  }
  Status status = AppendTexts();
  if (status.ok()) return std::nullopt;
  std::fprintf(stderr, "%s: %s (see --help)\n", app_.get_name().c_str(), status.message().c_str());
  return kWrongUse;
}

// A list of positional arguments would take the text "[a, b]" for two texts, so that only the first is one.
void Arguments::TakeTexts(std::vector<std::string>& texts) {
  texts_ = &texts;
  first_text_option_ = app_.add_option("text", first_text_, "Texts; or use -i")->type_name("TEXT...");
  app_.allow_extras();
}

Status Arguments::AppendTexts() {
  if (texts_ == nullptr) return Status();
  if (first_text_option_->count() > 0) texts_->push_back(first_text_);
  bool only_texts = false;  // Behind "--".
  for (const std::string& extra : app_.remaining()) {
    if (!only_texts && extra == "--") {
      only_texts = true;
    } else if (!only_texts && extra.size() > 1 && extra[0] == '-') {
      return Error(Code::kInvalidArgument, "unknown option ", extra, "; -- goes before texts that begin with -");
    } else {
      texts_->push_back(extra);
    }
  }
  return Status();
}

int Fail(std::string_view command, const Status& status) {
  std::fprintf(stderr, "thimble %.*s: %s\n", static_cast<int>(command.size()), command.data(),
               status.message().c_str());
  return status.code() == Code::kInvalidArgument ? kWrongUse : kFailed;
}

void Note(std::string_view command, std::string_view note) {
  std::fprintf(stderr, "thimble %.*s: %.*s\n", static_cast<int>(command.size()), command.data(),
               static_cast<int>(note.size()), note.data());
}

Result<std::size_t> ParseSize(std::string_view text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit(end, text.data() + text.size());
  for (char& letter : unit) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (!unit.empty() && unit.back() == 'b') unit.pop_back();
  std::uint64_t base = 1000;
  if (unit.size() == 2 && unit[1] == 'i') {
    base = 1024;
    unit.pop_back();
  }
  std::optional<std::uint64_t> bytes;
  if (error == std::errc()) {
    if (unit.empty()) bytes = number;
    if (unit == "k") bytes = CheckedMul(number, base);
    if (unit == "m") bytes = CheckedMul(number, base * base);
    if (unit == "g") bytes = CheckedMul(number, base * base * base);
  }
  if (!bytes || *bytes == 0) {
    return Error(Code::kInvalidArgument, "\"", text, "\": expected a size such as 8MB, 512kB or 1GiB");
  }
  return static_cast<std::size_t>(*bytes);
}

namespace {

constexpr char kModelHelp[] = "Model: [ORGANISATION/]NAME[@REVISION] (thimble list), ./FOLDER, or a model file";

}  // namespace

void ModelOption::AddTo(CLI::App& app) {
  app.add_option("-m,--model", model_, kModelHelp)->required()->type_name("MODEL");
  AddMore(app);
}

void ModelOption::AddOptionalTo(CLI::App& app) {
  app.add_option("-m,--model", model_, kModelHelp)->type_name("MODEL");
  AddMore(app);
}

void ModelOption::AddAsArgument(CLI::App& app) {
  app.add_option("model", model_, kModelHelp)->type_name("MODEL")->required();
  AddMore(app);
}

void ModelOption::AddMore(CLI::App& app) {
  app.add_option("--dtype", dtype_, "Of a model that is given by its name or folder")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--revision", revision_, "Branch, tag or commit, as behind the @ of a name; main if not given")
      ->type_name("NAME");
}

Result<std::string> ModelOption::FullName() const {
  if (revision_.empty()) return model_;
  const std::size_t at = model_.find('@');
  if (!IsModelName(model_)) {
    return Error(Code::kInvalidArgument, "model ", model_, ": a revision is of a name, not of a path");
  }
  if (at == std::string::npos) return model_ + "@" + revision_;
  if (model_.substr(at + 1) != revision_) {
    return Error(Code::kInvalidArgument, "model ", model_, ": --revision says ", revision_);
  }
  return model_;
}

Result<std::shared_ptr<const Model>> ModelOption::Open() const {
  if (model_.empty()) return Error(Code::kInvalidArgument, "--model is required (see --help)");
  std::error_code error;
  const bool named = IsModelName(model_);
  THIMBLE_ASSIGN_OR_RETURN(const std::string name, FullName());
  if (named && revision_.empty() && std::filesystem::is_regular_file(model_, error)) return Model::Open(model_);
  return OpenOrConvert(name, dtype_);
}

Result<std::shared_ptr<const Model>> OpenOrConvert(const std::string& name, const std::string& dtype) {
  auto opened = OpenModel(name, dtype);
  if (opened.ok() || opened.status().code() != Code::kNotFound || name.ends_with(".safetensors")) return opened;
  // What is on this machine is converted when it is first asked for.
  Progress progress(true);
  PullOptions options = {.dtype = dtype, .unstated_pooling = true, .local_files_only = true};
  options.progress = [&](const PullProgress& state) {
    if (state.stage == PullProgress::Stage::kConverting) progress.Show(state.share, 0);
    return true;
  };
  const Result<PulledModel> made = PullModel(name, options);
  if (made.ok()) return Model::Open(made->model.path);
  if (IsModelName(name) || made.status().code() != Code::kNotFound) return made.status();
  return Error(
      Code::kNotFound, made.status().message(),
      "\nMODEL is a model file as made by thimble convert, a folder as saved by sentence-transformers, or a name "
      "as known to thimble pull");
}

void SourceOptions::AddTo(Arguments& arguments) {
  arguments.TakeTexts(texts);
  CLI::App& app = arguments.app();
  app.add_option("-i,--input", input,
                 "File of texts, one a line, or of JSON values where it ends in .jsonl; - is standard input")
      ->type_name("FILE");
  app.add_option("--field", field, "Field of a JSON object that holds its text")
      ->type_name("NAME")
      ->capture_default_str();
}

Status SourceOptions::Check() const {
  if (texts.empty() == input.empty()) {
    return Error(Code::kInvalidArgument, "expected either texts or -i FILE (see --help)");
  }
  return Status();
}

void BackendFlags::AddTo(Arguments& arguments) {
  CLI::App& app = arguments.app();
  app.add_option("--backend", backend,
                 "What embeds: native, mock, mock-hashed, openai:MODEL, tei:URL, ollama:MODEL, cohere:MODEL, "
                 "voyage:MODEL, jina:MODEL, or several with commas between; native, or THIMBLE_BACKEND, if not given")
      ->type_name("NAME");
  app.add_option("--base-url", base_url, "Address of the backend; as behind the @ of openai:MODEL@URL")
      ->type_name("URL");
  app.add_option("--dimensions", dimensions, "Length of vectors to ask a remote backend for; its own if not given")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--space", space, "What to call the vector space that all backends of a chain have")
      ->type_name("NAME");
  app.add_option("--timeout", timeout_seconds, "Longest that a remote backend may take for 1024 texts, in seconds")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber);
}

void TokenFlags::AddTruncationTo(CLI::App& app) {
  app.add_option("--max-tokens", max_tokens_, "Most tokens of a text that go together; as --truncation if not given")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--truncation", truncation_,
                 "Truncation limit to follow: sentence-transformers (default), transformers.js, tokenizers")
      ->type_name("NAME");
}

void TokenFlags::AddPromptTo(CLI::App& app) {
  app.add_option("--prompt-name", prompt_name_,
                 "Which prompt of the model goes before a text: its default if not given, none for ''")
      ->type_name("NAME");
}

Result<TokenizeOptions> TokenFlags::Options() const {
  TokenizeOptions options = {.max_tokens = max_tokens_, .prompt_name = prompt_name_};
  if (!truncation_.empty()) {
    THIMBLE_ASSIGN_OR_RETURN(options.truncation, ParseTruncation(truncation_));
  }
  return options;
}

void EmbedderFlags::AddVectorsTo(CLI::App& app) {
  app.add_option("--pooling", pooling_,
                 "mean, cls, last, max, mean_sqrt_len_tokens or weightedmean; the model's own if not given")
      ->type_name("NAME");
  normalize_option_ = app.add_flag("--normalize,!--no-normalize", normalize_,
                                   "Whether vectors get unit length; the model's own way if not given");
  tokens_.AddPromptTo(app);
}

void EmbedderFlags::AddLongTextsTo(CLI::App& app) {
  app.add_option("--long-texts", long_texts_, "What becomes of longer ones: truncate (default), error, chunk")
      ->type_name("NAME");
  app.add_option("--chunk-overlap", chunk_overlap_, "Tokens that chunks share; an eighth of --max-tokens if not given")
      ->type_name("N");
}

void EmbedderFlags::AddTo(CLI::App& app) {
  tokens_.AddTruncationTo(app);
  app.add_option("--threads", threads_, "Threads; the vectors do not depend on it")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{64}, "1 to 64"))
      ->envname("THIMBLE_THREADS")
      ->capture_default_str();
  app.add_option("--max-memory", max_memory_, "Most private memory of the process, for example 8MB, 1GiB")
      ->type_name("SIZE")
      ->envname("THIMBLE_MAX_MEMORY");
}

Result<VectorOptions> EmbedderFlags::Vectors() const {
  VectorOptions options;
  if (!pooling_.empty()) {
    THIMBLE_ASSIGN_OR_RETURN(options.pooling, ParsePooling(pooling_));
  }
  if (normalize_option_ != nullptr && normalize_option_->count() > 0) options.normalize = normalize_;
  THIMBLE_ASSIGN_OR_RETURN(const TokenizeOptions tokens, tokens_.Options());
  options.prompt_name = tokens.prompt_name;
  if (!long_texts_.empty()) {
    THIMBLE_ASSIGN_OR_RETURN(options.long_texts, ParseLongTexts(long_texts_));
  }
  options.chunk_overlap = chunk_overlap_;
  return options;
}

Result<EmbedderOptions> EmbedderFlags::Options() const {
  EmbedderOptions options;
  options.threads = threads_;
  THIMBLE_ASSIGN_OR_RETURN(const TokenizeOptions tokens, tokens_.Options());
  options.max_tokens = tokens.max_tokens;
  options.truncation = tokens.truncation;
  if (!max_memory_.empty()) {
    auto size = ParseSize(max_memory_);
    if (!size.ok()) return Error(Code::kInvalidArgument, "--max-memory ", size.status().message());
    options.max_memory = *size;
  }
  return options;
}

}  // namespace thimble::cli
