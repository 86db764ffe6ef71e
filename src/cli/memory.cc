// thimble memory: what models take and give back, measured in child processes.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/memory_stages.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process_start.h"
#include "cli/staged_process.h"
#include "json/value.h"
#include "thimble/cache.h"

namespace thimble::cli {
namespace {

namespace fs = std::filesystem;
using json::Object;
using json::Value;

constexpr char kExamples[] =
    "  thimble memory\n"
    "  thimble memory --folder models --name all-MiniLM-L6-v2 --json > memory.json\n"
    "\n"
    "Each model is loaded in a process of its own, which embeds 64 texts of 250 words and 2,000 short texts with\n"
    "one thread.\n"
    "private is memory without a file behind it. pss adds the pages of files, of shared pages only a part. rss\n"
    "counts every page of a file in full; the system maps files in large pieces, so that it exceeds what was read.\n"
    "start is before the model is loaded, loaded after that, peak the maximum until then, idle after scratch memory\n"
    "was released, unloaded after the model was unloaded. cold start is one thimble embed of a short text from\n"
    "start to exit, reload is loading the model again and embedding one text.\n"
    "Models are FOLDER/NAME-DTYPE.safetensors; FOLDER is THIMBLE_HOME, the folder models next to this program, or\n"
    "the cache.\n";

// Whoever measures waits for this many starts of each.
constexpr int kStarts = 9;

struct Options {
  std::string folder;
  std::string name = "all-MiniLM-L6-v2";
  bool json = false;
};

// What starts this command line: as the program says, or its file.
Result<std::vector<std::string>> OwnProgram() {
  if (!OwnCommand().empty()) return OwnCommand();
  std::error_code error;
  fs::path path = fs::read_symlink("/proc/self/exe", error);
  if (error) return Error(Code::kIo, "/proc/self/exe: ", error.message());
  return std::vector{path.string()};
}

std::vector<std::string> Command(std::vector<std::string> program, std::initializer_list<std::string> arguments) {
  program.insert(program.end(), arguments);
  return program;
}

std::string ModelFolder(const Options& options, const std::string& program) {
  if (!options.folder.empty()) return options.folder;
  const fs::path beside = fs::path(program).parent_path() / "models";
  std::error_code error;
  const char* home = std::getenv("THIMBLE_HOME");
  if ((home == nullptr || *home == '\0') && fs::is_directory(beside, error)) return beside.string();
  return CacheFolder();
}

// A file of texts without a name, which processes started from here inherit.
class TextFile {
 public:
  static Result<TextFile> Create() {
    std::string path = (fs::temp_directory_path() / "thimble-memory-XXXXXX").string();
    TextFile file(mkstemp(path.data()));
    if (file.descriptor_ < 0) return SystemError(errno, "cannot create", path);
    unlink(path.c_str());
    const std::string texts = MemoryTexts();
    THIMBLE_RETURN_IF_ERROR(base::WriteAll(file.descriptor_, std::as_bytes(std::span(texts)), path));
    return file;
  }
  TextFile(TextFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  TextFile& operator=(TextFile&&) = delete;
  ~TextFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  // For those processes.
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  explicit TextFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

Object Figures(const ProcessMemory& memory) {
  return {{"rss", memory.rss_bytes}, {"pss", memory.pss_bytes}, {"private", memory.private_bytes}};
}

// Adds what was measured to a row; the row's error says why it could not be.
void Measure(const std::vector<std::string>& stages, const std::vector<std::string>& start, Object& row) {
  auto memory = RunStaged(stages);
  auto time = memory.ok() ? TimeCommand(start, kStarts) : Result<double>(memory.status());
  row["error"] = time.status().message();
  if (!time.ok()) return;
  for (const char* stage : {"start", "loaded"}) row[stage] = Figures(memory->stages[stage]);
  row["peak"] = Figures(memory->peak);
  for (const char* stage : {"idle", "unloaded"}) row[stage] = Figures(memory->stages[stage]);
  row["cold_start_ms"] = *time;
  constexpr std::string_view kReload = "reload_ms ";
  if (const std::size_t begin = memory->rest.find(kReload); begin != std::string::npos) {
    row["reload_ms"] = std::atof(memory->rest.c_str() + begin + kReload.size());
  }
}

Object MeasureModel(const std::vector<std::string>& program, const std::string& folder, const Options& options,
                    const std::string& dtype, const std::string& texts) {
  const bool mock = dtype == "mock";
  Object row = {{"name", "thimble"}, {"dtype", dtype}, {"file_bytes", 0}};
  const Result<std::string> path = ModelPath(mock ? dtype : options.name, dtype, folder);
  if (!path.ok()) {
    row["error"] = path.status().message();
    return row;
  }
  std::error_code error;
  const std::uintmax_t bytes = mock ? 0 : fs::file_size(*path, error);
  if (error) {
    row["error"] = *path + ": " + error.message();
    return row;
  }
  row["file_bytes"] = bytes;
  Measure(Command(program, {"memory", "--stages", *path, "--texts", texts}),
          Command(program, {"embed", "-m", *path, "a short text"}), row);
  return row;
}

std::string Megabytes(const Value& row, const char* stage, const char* figure) {
  const Value* figures = row.Find(stage);
  if (figures == nullptr) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", figures->Find(figure)->number() / 1e6);
  return text;
}

std::string Milliseconds(const Value& row, const char* key) {
  const Value* time = row.Find(key);
  if (time == nullptr) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", time->number());
  return text;
}

std::string TableLine(const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::size_t width = i == 0 ? 23 : 11;
    const std::string padding(width > cells[i].size() ? width - cells[i].size() : 1, ' ');
    line += i == 0 ? cells[i] + padding : padding + cells[i];
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string Table(const Value& result) {
  std::string text = "MB (10^6 bytes), ms; see thimble memory --help for the columns\n";
  text +=
      TableLine({"", "file", "private", "private", "private", "private", "private", "pss", "rss", "cold", "reload"});
  text += TableLine({"", "", "start", "loaded", "peak", "idle", "unloaded", "peak", "peak", "start", ""});
  for (const Value& row : result.Find("rows")->array()) {
    const std::string name = row.Find("name")->string() + " " + row.Find("dtype")->string();
    if (const std::string& error = row.Find("error")->string(); !error.empty()) {
      text += name + ": " + error + "\n";
      continue;
    }
    char file[32];
    std::snprintf(file, sizeof file, "%.1f", row.Find("file_bytes")->number() / 1e6);
    std::vector<std::string> cells = {name, file};
    for (const char* stage : {"start", "loaded", "peak", "idle", "unloaded"}) {
      cells.push_back(Megabytes(row, stage, "private"));
    }
    cells.push_back(Megabytes(row, "peak", "pss"));
    cells.push_back(Megabytes(row, "peak", "rss"));
    cells.push_back(Milliseconds(row, "cold_start_ms"));
    cells.push_back(Milliseconds(row, "reload_ms"));
    text += TableLine(cells);
  }
  return text;
}

Status Memory(const Options& options) {
  THIMBLE_ASSIGN_OR_RETURN(const std::vector<std::string> program, OwnProgram());
  THIMBLE_ASSIGN_OR_RETURN(TextFile texts, TextFile::Create());
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open(""));
  const std::string folder = ModelFolder(options, program[0]);
  const Object counts = {{"long", kLongTexts}, {"words", kLongTextWords}, {"short", kShortTexts}, {"threads", 1}};
  bool any = false;
  json::Array rows;
  for (const char* dtype : {"mock", "q4-small", "q4", "q6", "q8", "fp16", "fp32"}) {
    rows.push_back(MeasureModel(program, folder, options, dtype, texts.path()));
    any |= rows.back().Find("file_bytes")->integer() > 0;
  }
  if (!any) {
    return Error(Code::kNotFound, folder, ": no model ", options.name,
                 "-DTYPE.safetensors; name another with --name, or ", "its folder with --folder");
  }
  const Value result = Object{{"texts", counts}, {"rows", std::move(rows)}};
  THIMBLE_RETURN_IF_ERROR(output.Write(options.json ? result.Text() + "\n" : Table(result)));
  return output.Finish();
}

}  // namespace

int RunMemory(int argc, char** argv) {
  Options options;
  std::string stages, texts;
  Arguments arguments("memory", "Measures how much memory models take and release.", kExamples);
  CLI::App& app = arguments.app();
  app.add_option("--folder", options.folder, "Folder of models")->type_name("FOLDER");
  app.add_option("--name", options.name, "Name of the model")->type_name("NAME")->capture_default_str();
  app.add_flag("--json", options.json, "Print one JSON object, with sizes in bytes");
  // The child's, without a line in the help.
  app.add_option("--stages", stages)->group("");
  app.add_option("--texts", texts)->group("");
  if (auto code = arguments.Parse(argc, argv)) return *code;
  Status status = stages.empty() ? Memory(options) : RunMemoryStages(stages, texts);
  return status.ok() ? kDone : Fail("memory", status);
}

}  // namespace thimble::cli
