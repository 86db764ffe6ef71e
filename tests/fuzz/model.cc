// Model files, and the tokenizer that is compiled into one.

#include <cmath>
#include <filesystem>
#include <iterator>

#include "convert/tokenizer_folder.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/files.h"
#include "text/tokenizer.h"
#include "thimble/embedder.h"

namespace thimble::fuzz {
namespace {

constexpr std::string_view kText = "Hello, w\u00f6rld! The small vectors are playing [SEP] \u4e2d\u6587 123456";

// What every tokenizer must do with every text.
void Tokenize(const text::Tokenizer& tokenizer, std::size_t vocabulary, std::string_view prompt,
              std::string_view text) {
  std::vector<std::int32_t> ids(std::max<std::size_t>(64, tokenizer.num_special() + 1));
  const text::Encoded encoded = tokenizer.Encode(prompt, text, ids);
  Check(encoded.tokens <= ids.size(), "no more ids than there is room for");
  for (std::size_t i = 0; i < encoded.tokens; ++i) {
    Check(ids[i] >= 0 && static_cast<std::size_t>(ids[i]) < vocabulary, "an id of the vocabulary");
  }
  const std::size_t all = tokenizer.Count(prompt, text);
  Check(encoded.truncated ? all > encoded.tokens : all == encoded.tokens, "Count and Encode agree");
}

}  // namespace

void RunModel(std::string_view input) {
  const MemoryFile file(input);
  const auto model = Model::Open(file.path());
  if (!model.ok()) {
    Check(!model.status().message().empty(), "an error has a message");
    return;
  }
  TokenizeOptions options;
  options.offsets = true;
  const auto tokens = (*model)->Tokenize(kText, options);
  auto embedder = Embedder::Create(*model, {.max_memory = 256 << 20});
  if (!tokens.ok() || !embedder.ok()) return;
  std::vector<float> vector(embedder->dimensions());
  if (!embedder->Embed(kText, vector).ok()) return;
  for (float value : vector) Check(std::isfinite(value), "a vector without an error is finite");
}

std::vector<std::string> ModelSeeds() { return {ModelBytes()}; }

void RunTokenizer(std::string_view input) {
  // The first line is a text.
  const std::size_t line = std::min(input.find('\n'), input.size());
  const auto compiled = convert::CompileTokenizer(input.substr(std::min(line + 1, input.size())), "tokenizer.json");
  if (!compiled.ok()) return;
  const auto tokenizer = text::Tokenizer::Create(compiled->kind, compiled->vocabulary);
  Check(tokenizer.ok(), "what was compiled passes the checks of what is opened");
  Tokenize(*tokenizer, compiled->vocabulary, "", kText);
  Tokenize(*tokenizer, compiled->vocabulary, "query: ", input.substr(0, line));
}

std::vector<std::string> TokenizerSeeds() {
  std::vector<std::string> seeds = {"a text\n" + test::ReadFile(SourceFolder() + "/tokenizer.json")};
  for (const char* folder : {THIMBLE_FIXTURES "/tokenizer", THIMBLE_FIXTURES "/unigram"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string text = test::ReadFile(entry.path());
      if (text.size() < (64 << 10) && text.find("\"model\"") != std::string::npos) {
        seeds.push_back("H\u00e9llo\n" + text);
      }
    }
  }
  return seeds;
}

void RunTokens(std::string_view input) {
  // One of each kind whose words have a limit, and of one whose words are whole texts.
  static const auto* all = [] {
    auto* list = new std::vector<Result<convert::CompiledTokenizer>>;
    for (const std::string& path :
         {SourceFolder() + "/tokenizer.json", std::string(THIMBLE_FIXTURES "/unigram/e5.json"),
          std::string(THIMBLE_FIXTURES "/unigram/slow.json")}) {
      list->push_back(convert::CompileTokenizer(test::ReadFile(path), path));
    }
    return list;
  }();
  for (const auto& compiled : *all) {
    const auto tokenizer = text::Tokenizer::Create(compiled->kind, compiled->vocabulary);
    Tokenize(*tokenizer, compiled->vocabulary, "", input);
    Tokenize(*tokenizer, compiled->vocabulary, "passage: ", input);
  }
  static const auto* model = [] {
    static const MemoryFile file(ModelBytes());
    return new Result<std::shared_ptr<const Model>>(Model::Open(file.path()));
  }();
  // Offsets lie in the text, in order.
  TokenizeOptions options;
  options.offsets = true;
  options.special_tokens = false;
  const auto tokens = (**model)->Tokenize(input, options);
  if (!tokens.ok()) return;
  for (const ByteRange& range : tokens->offsets) {
    Check(range.begin <= range.end && range.end <= input.size(), "a token is inside the text");
  }
}

}  // namespace thimble::fuzz
