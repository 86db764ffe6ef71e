// The commands of the command line, options that several of them share, and how they parse and fail.

#ifndef THIMBLE_CLI_OPTIONS_H_
#define THIMBLE_CLI_OPTIONS_H_

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/regular_file.h"
#include "cli/input.h"
#include "thimble/backend.h"
#include "thimble/embedder.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUse = 2;

// The arguments of one command.
class Arguments {
 public:
  // `examples` goes under the list of options.
  Arguments(std::string_view command, const std::string& description, const std::string& examples);

  CLI::App& app() { return app_; }
  // The exit code to leave with, when the arguments ask for help or are wrong (said on standard error).
  std::optional<int> Parse(int argc, char** argv);

  // Makes the arguments that are no options `texts`, whatever they look like.
  void TakeTexts(std::vector<std::string>& texts);

 private:
  Status AppendTexts();

  CLI::App app_;
  std::vector<std::string>* texts_ = nullptr;
  std::string first_text_;
  CLI::Option* first_text_option_ = nullptr;
};

// Adds an option whose value is called `type` in the help.
template <typename T>
CLI::Option* AddOption(CLI::App& app, const std::string& names, T& value, const std::string& type,
                       const std::string& help) {
  return app.add_option(names, value, help)->type_name(type);
}

// Prints on standard error why the command failed; returns its exit code.
int Fail(std::string_view command, const Status& status);
// The exit code of a command that ended so.
inline int Exit(std::string_view command, const Status& status) { return status.ok() ? kDone : Fail(command, status); }
// Prints a text on standard output; returns the command's exit code.
int Print(std::string_view command, std::string_view text);
// Prints on standard error what is not a failure.
void Note(std::string_view command, std::string_view note);
// The same where there are fewer threads than `wanted`.
void NoteThreads(std::string_view command, const Plan& plan, std::size_t wanted);

// Bytes from "4096", "512kB", "1.5MB", "16 MB", "1GiB": k, M, G, T, P, E are powers of 1000, Ki, Mi and so on of 1024;
// case and a B at the end do not matter; a share of a byte is dropped. kInvalidArgument otherwise.
Result<std::size_t> ParseSize(std::string_view text);
// A check of an option: a number above 0.
CLI::Validator Positive();
// An option that takes such a size.
CLI::Option* AddSize(CLI::App& app, const std::string& name, std::size_t& bytes, const std::string& help);

// The model that a name, a folder or a file stands for. What is on this machine as a folder or in another program's
// cache is converted when it is not yet. The errors of OpenModel, and of PullModel for local files only.
Result<std::shared_ptr<const Model>> OpenOrConvert(const std::string& name, const std::string& dtype,
                                                   const OpenOptions& options);

// --load --verify.
class OpenFlags {
 public:
  void AddTo(CLI::App& app);
  Result<OpenOptions> Options() const;
  // Whether either was given.
  bool given() const { return verify_ || !load_.empty(); }

 private:
  std::string load_;
  bool verify_ = false;
};

inline constexpr char kDtypeHelp[] = "Dtype of a model that is given by name or folder: q8 if not given";

// MODEL, which is a name, a folder or a file, with --dtype, --revision and OpenFlags.
class ModelOption {
 public:
  // As -m MODEL.
  void AddTo(CLI::App& app);
  // The same, for a command that may do without; Open then says that it is required.
  void AddOptionalTo(CLI::App& app);
  // As an argument or as -m MODEL.
  void AddAsArgument(CLI::App& app);
  bool given() const { return !model_.empty(); }
  void Set(const std::string& model, const std::string& dtype);
  // The errors of OpenOrConvert.
  Result<std::shared_ptr<const Model>> Open() const;
  // NAME@REVISION, or the path.
  Result<std::string> FullName() const;
  // The file that Open opens, once it has; nothing for a mock.
  base::InputFile File() const;
  const std::string& dtype() const { return dtype_; }
  const OpenFlags& open() const { return open_; }

 private:
  void AddMore(CLI::App& app);

  std::string model_;
  std::string dtype_;
  std::string revision_;
  OpenFlags open_;
};

// --max-tokens --truncation --prompt-name.
class TokenFlags {
 public:
  void AddTruncationTo(CLI::App& app);
  void AddPromptTo(CLI::App& app);
  Result<TokenizeOptions> Options() const;

 private:
  std::size_t max_tokens_ = 0;
  std::string truncation_;
  std::optional<std::string> prompt_name_;
};

// --pooling --normalize --dimensions --long-texts --chunk-overlap --threads --max-memory, and TokenFlags.
class EmbedderFlags {
 public:
  // --max-tokens --truncation --threads --max-memory, which decide what an embedder takes.
  void AddTo(CLI::App& app);
  // --pooling --normalize --prompt-name, which decide what a vector means.
  void AddVectorsTo(CLI::App& app);
  // --dimensions.
  void AddDimensionsTo(CLI::App& app);
  // --long-texts --chunk-overlap.
  void AddLongTextsTo(CLI::App& app);
  // --prompt-name --long-texts, of pairs.
  void AddPairsTo(CLI::App& app);
  // --cache --cache-size.
  void AddCacheTo(CLI::App& app);
  // With the cache open.
  Result<EmbedderOptions> Options() const;
  // The same for a remote backend, which has no cache: kUnsupported where one is asked for.
  Result<EmbedderOptions> RemoteOptions() const;
  Result<VectorOptions> Vectors() const;

 private:
  TokenFlags tokens_;
  std::string pooling_;
  bool normalize_ = true;
  CLI::Option* normalize_option_ = nullptr;
  std::optional<std::size_t> dimensions_;
  std::string long_texts_;
  std::optional<std::size_t> chunk_overlap_;
  std::size_t threads_ = 1;
  std::size_t max_memory_ = 0;
  std::string cache_;
  std::size_t cache_size_ = 0;
};

// What embeds: the options of remote backends, and the environment's choice.
// --backend --base-url --space --timeout.
struct BackendFlags {
  std::string backend;
  std::string base_url;
  std::string space;
  std::size_t timeout_seconds = 0;

  void AddTo(Arguments& arguments);
  // Makes --backend the process's THIMBLE_BACKEND. Whether that is anything but a model or a mock in this process, so
  // that Open opens it. kInvalidArgument for options of remote backends where there is none.
  Result<bool> Choose() const;

  // `model` is what a native backend embeds with. kUnsupported for options that only those have.
  Result<Backend> Open(const ModelOption& model, const EmbedderOptions& options, const VectorOptions& vectors) const;
  Result<BackendCall> Call(const VectorOptions& options) const;
};

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_OPTIONS_H_
