// Shared options of the commands.

#include "cli/options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/option_names.h"
#include "base/thread_team.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "thimble/cache.h"
#include "thimble/hub.h"

namespace thimble::cli {

Arguments::Arguments(std::string_view command, const std::string& description, const std::string& examples)
    : app_(description, "thimble " + std::string(command)) {
  app_.footer("Examples:\n" + examples + "\nExit codes: 0 success, 1 failure, 2 wrong use.");
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
      throw CLI::ValidationError(name, option->get_name() + " does not accept \"" + value + "\"");
    }
  } catch (const CLI::CallForHelp&) {
    return Print(app_.get_name().substr(app_.get_name().find(' ') + 1), app_.help());
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
  first_text_option_ = app_.add_option("text", first_text_, "Texts to read; or use -i")->type_name("TEXT...");
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
      return Error(Code::kInvalidArgument, "unknown option ", extra, "; put -- before texts that begin with -");
    } else {
      texts_->push_back(extra);
    }
  }
  return Status();
}

int Fail(std::string_view command, const Status& status) {
  std::fprintf(stderr, "thimble %.*s: %s\n", static_cast<int>(command.size()), command.data(),
               base::WithOptionNames(status.message(), base::OptionNames::kFlags).c_str());
  return status.code() == Code::kInvalidArgument ? kWrongUse : kFailed;
}

int Print(std::string_view command, std::string_view text) {
  Result<Output> output = Output::Open("");
  Status status = output.ok() ? output->Write(text) : output.status();
  if (status.ok()) status = output->Finish();
  return Exit(command, status);
}

void Note(std::string_view command, std::string_view note) {
  std::fprintf(stderr, "thimble %.*s: %.*s\n", static_cast<int>(command.size()), command.data(),
               static_cast<int>(note.size()), note.data());
}

void NoteThreads(std::string_view command, const Plan& plan, std::size_t wanted) {
  const std::size_t granted = plan.threads;
  if (granted < wanted) Note(command, base::FewerThreads(granted, wanted));
}

Result<std::size_t> ParseSize(std::string_view text) {
  constexpr std::size_t kMostDecimals = 9;
  std::string size(text);
  std::uint64_t bytes = 0, share = 1;
  try {
    // CLI11 reads whole numbers: of "1.5MB" it gets "15MB", and a tenth of that is meant.
    if (const std::size_t point = size.find('.'); point > 0 && point < size.size()) {
      size.erase(point, 1);
      const std::size_t unit = std::min(size.find_first_not_of("0123456789", point), size.size());
      const bool whole_bytes = size.find_first_of("kKmMgGtTpPeE", unit) == std::string::npos;
      if (unit == point || unit - point > kMostDecimals || whole_bytes) share = 0;
      for (std::size_t i = point; i < unit; ++i) share *= 10;
    }
    // It takes numbers that begin with 0 for octal or hexadecimal.
    size.erase(0, size.find_first_not_of('0'));
    if (share > 0 && size.find_first_of("123456789") == 0) {
      CLI::AsSizeValue(true)(size);
      bytes = std::stoull(size) / share;
    }
  } catch (const std::exception&) {  // Of CLI11, or the number is too large.
  }
  if (bytes == 0) {
    return Error(Code::kInvalidArgument, "expected a size such as 16MB, 1.5MB or 1GiB, found \"", text, "\"");
  }
  return static_cast<std::size_t>(bytes);
}

CLI::Validator Positive() {
  const auto check = [](std::string& text) {
    double number = 0;
    const bool positive = CLI::detail::lexical_cast(text, number) && number > 0;
    return positive ? std::string() : "expected a number above 0, found \"" + text + "\"";
  };
  return CLI::Validator(check, "POSITIVE");
}

CLI::Option* AddSize(CLI::App& app, const std::string& name, std::size_t& bytes, const std::string& help) {
  const auto to_bytes = [](std::string& text) {
    const Result<std::size_t> size = ParseSize(text);
    if (!size.ok()) return size.status().message();
    text = std::to_string(*size);
    return std::string();
  };
  return app.add_option(name, bytes, help)->type_name("SIZE")->transform(CLI::Validator(to_bytes, ""));
}

namespace {

constexpr char kModelHelp[] = "Model: [ORGANISATION/]NAME[@REVISION] (thimble list), ./FOLDER, or a model file";

}  // namespace

void ModelOption::AddTo(CLI::App& app) {
  AddOption(app, "-m,--model", model_, "MODEL", kModelHelp)->required();
  AddMore(app);
}

void ModelOption::AddOptionalTo(CLI::App& app) {
  AddOption(app, "-m,--model", model_, "MODEL", kModelHelp);
  AddMore(app);
}

void ModelOption::AddAsArgument(CLI::App& app) {
  AddOption(app, "-m,--model,model", model_, "MODEL", kModelHelp)->required();
  AddMore(app);
}

void ModelOption::AddMore(CLI::App& app) {
  AddOption(app, "--dtype", dtype_, "NAME", kDtypeHelp);
  AddOption(app, "--revision", revision_, "NAME", "Branch, tag or commit, as after the @ of a name; main if not given");
  open_.AddTo(app);
}

void OpenFlags::AddTo(CLI::App& app) {
  AddOption(app, "--load", load_, "NAME",
            "map (default): share the file with other processes; copy: read it into own memory");
  app.add_flag("--verify", verify_, "Check that the weights have the hash that the file records");
}

Result<OpenOptions> OpenFlags::Options() const {
  OpenOptions options = {.verify = verify_};
  if (!load_.empty()) {
    THIMBLE_ASSIGN_OR_RETURN(options.load, ParseLoad(load_));
  }
  return options;
}

Result<std::string> ModelOption::FullName() const {
  if (revision_.empty()) return model_;
  const std::size_t at = model_.find('@');
  if (!IsModelName(model_)) {
    return Error(Code::kInvalidArgument, "model ", model_, ": --revision works with names, not with paths");
  }
  if (at == std::string::npos) return model_ + "@" + revision_;
  if (model_.substr(at + 1) != revision_) {
    return Error(Code::kInvalidArgument, "model ", model_, ": --revision is ", revision_, "; give the revision once");
  }
  return model_;
}

void ModelOption::Set(const std::string& model, const std::string& dtype) {
  model_ = model;
  dtype_ = dtype;
}

base::InputFile ModelOption::File() const {
  std::error_code error;
  if (IsModelName(model_) && revision_.empty() && std::filesystem::is_regular_file(model_, error)) {
    return base::InputFileAt(model_);
  }
  const Result<std::string> name = FullName();
  const Result<std::string> path = name.ok() ? ModelPath(*name, dtype_) : name;
  return path.ok() ? base::InputFileAt(*path) : base::InputFile();
}

Result<std::shared_ptr<const Model>> ModelOption::Open() const {
  if (model_.empty()) return Error(Code::kInvalidArgument, "--model is required (see --help)");
  std::error_code error;
  const bool named = IsModelName(model_);
  THIMBLE_ASSIGN_OR_RETURN(const std::string name, FullName());
  THIMBLE_ASSIGN_OR_RETURN(const OpenOptions options, open_.Options());
  if (named && revision_.empty() && std::filesystem::is_regular_file(model_, error)) {
    return OpenModel("./" + model_, dtype_, {}, options);
  }
  return OpenOrConvert(name, dtype_, options);
}

Result<std::shared_ptr<const Model>> OpenOrConvert(const std::string& name, const std::string& dtype,
                                                   const OpenOptions& options) {
  auto opened = OpenModel(name, dtype, {}, options);
  if (opened.ok() || opened.status().code() != Code::kNotFound || name.ends_with(".safetensors")) return opened;
  // What is on this machine is converted when it is first asked for.
  Progress progress(true);
  PullOptions pull = {.unstated_pooling = true, .local_files_only = true};
  if (!dtype.empty()) pull.dtype = dtype;
  pull.progress = [&](const PullProgress& state) {
    if (state.stage == PullProgress::Stage::kConverting) progress.Show(state.share, 0);
    return true;
  };
  const Result<PulledModel> made = PullModel(name, pull);
  if (made.ok()) return Model::Open(made->model.path, options);
  if (IsModelName(name) || made.status().code() != Code::kNotFound) return made.status();
  return Error(Code::kNotFound, made.status().message(),
               "\nMODEL is a model file made by thimble convert, a folder saved by sentence-transformers, or a name "
               "that thimble pull accepts");
}

void SourceOptions::AddTo(Arguments& arguments) {
  arguments.TakeTexts(texts);
  CLI::App& app = arguments.app();
  AddOption(app, "-i,--input", input, "FILE",
            "File with one text per line, or one JSON value per line if it ends in .jsonl; - is standard input");
  AddOption(app, "--field", field, "NAME", "Field of a JSON object that contains the text")->capture_default_str();
}

Status SourceOptions::Check() const {
  if (texts.empty() == input.empty()) {
    return Error(Code::kInvalidArgument, "expected either texts or -i FILE (see --help)");
  }
  return Status();
}

void BackendFlags::AddTo(Arguments& arguments) {
  CLI::App& app = arguments.app();
  AddOption(app, "--backend", backend, "NAME",
            "Backend: native, mock, mock-hashed, openai:MODEL, tei:URL, ollama:MODEL, cohere:MODEL, "
            "voyage:MODEL, jina:MODEL, or several separated by commas; THIMBLE_BACKEND or native if not given");
  AddOption(app, "--base-url", base_url, "URL", "Address of the backend, as after the @ of openai:MODEL@URL");
  AddOption(app, "--space", space, "NAME", "Name of the vector space that all backends of a chain share");
  AddOption(app, "--timeout", timeout_seconds, "SECONDS", "Time limit of a remote backend for 1024 texts, in seconds")
      ->check(Positive());
}

void TokenFlags::AddTruncationTo(CLI::App& app) {
  AddOption(app, "--max-tokens", max_tokens_, "N", "Token limit of a text or window; that of --truncation if not given")
      ->check(Positive());
  AddOption(app, "--truncation", truncation_, "NAME",
            "Truncation limit to follow: sentence-transformers (default), transformers.js, tokenizers");
}

void TokenFlags::AddPromptTo(CLI::App& app) {
  AddOption(app, "--prompt-name", prompt_name_, "NAME",
            "Prompt of the model to put before each text; its default if not given, none for ''");
}

Result<TokenizeOptions> TokenFlags::Options() const {
  TokenizeOptions options = {.max_tokens = max_tokens_, .prompt_name = prompt_name_};
  if (!truncation_.empty()) {
    THIMBLE_ASSIGN_OR_RETURN(options.truncation, ParseTruncation(truncation_));
  }
  return options;
}

void EmbedderFlags::AddVectorsTo(CLI::App& app) {
  AddOption(app, "--pooling", pooling_, "NAME",
            "mean, cls, last, max, mean_sqrt_len_tokens or weightedmean; the model's own if not given");
  normalize_option_ = app.add_flag("--normalize,!--no-normalize", normalize_,
                                   "Scale vectors to unit length or not; as the model states if not given");
  tokens_.AddPromptTo(app);
}

void EmbedderFlags::AddDimensionsTo(CLI::App& app) {
  AddOption(app, "--dimensions", dimensions_, "N",
            "Length of vectors: the first N components, normalised again; all if not given")
      ->check(Positive());
}

void EmbedderFlags::AddLongTextsTo(CLI::App& app) {
  AddOption(app, "--long-texts", long_texts_, "NAME", "How to handle longer texts: truncate (default), error, chunk");
  AddOption(app, "--chunk-overlap", chunk_overlap_, "N",
            "Tokens that adjacent chunks share; an eighth of --max-tokens if not given");
}

void EmbedderFlags::AddPairsTo(CLI::App& app) {
  AddOption(app, "--long-texts", long_texts_, "NAME",
            "How to handle pairs that exceed the token limit: truncate (default) the longer text first, or error");
  tokens_.AddPromptTo(app);
}

void EmbedderFlags::AddCacheTo(CLI::App& app) {
  CLI::Option* cache = AddOption(app, "--cache", cache_, "FILE",
                                 "File of vectors that were computed before; made if missing. Vectors do not depend on "
                                 "it");
  AddSize(app, "--cache-size", cache_size_, "Size limit of a new cache; 256MiB if not given")->needs(cache);
}

void EmbedderFlags::AddTo(CLI::App& app) {
  tokens_.AddTruncationTo(app);
  AddOption(app, "--threads", threads_, "N", "Number of threads; vectors do not depend on it")
      ->check(CLI::Range(std::size_t{1}, std::size_t{64}, "1 to 64"))
      ->envname("THIMBLE_THREADS")
      ->capture_default_str();
  AddSize(app, "--max-memory", max_memory_, "Limit of the private memory of the process, for example 16MB or 1.5GiB")
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
  options.dimensions = dimensions_;
  options.chunk_overlap = chunk_overlap_;
  if (chunk_overlap_ && options.long_texts != LongTexts::kChunk) {
    return Error(Code::kInvalidArgument, "--chunk-overlap: has no effect without --long-texts chunk");
  }
  return options;
}

Result<EmbedderOptions> EmbedderFlags::RemoteOptions() const {
  if (cache_.empty()) return Options();
  return Error(Code::kUnsupported, "--cache: only native backends accept it, because the vectors of a service may ",
               "change; leave it out");
}

Result<EmbedderOptions> EmbedderFlags::Options() const {
  EmbedderOptions options;
  if (!cache_.empty()) {
    THIMBLE_ASSIGN_OR_RETURN(options.cache, ExactCache::Open(cache_, cache_size_));
  }
  options.threads = threads_;
  THIMBLE_ASSIGN_OR_RETURN(const TokenizeOptions tokens, tokens_.Options());
  options.max_tokens = tokens.max_tokens;
  options.truncation = tokens.truncation;
  options.max_memory = max_memory_;
  return options;
}

}  // namespace thimble::cli
