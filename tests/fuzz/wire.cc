// What comes from others while thimble runs: lines of texts, answers of the hub and of providers.

#include "backends/wire.h"

#include <stdlib.h>

#include <cmath>
#include <cstdlib>

#include "backends/table.h"
#include "cli/input.h"
#include "convert/folder_files.h"
#include "hub/listing.h"
#include "hub/settings.h"
#include "net/http.h"
#include "tests/fuzz/fuzz.h"

namespace thimble::fuzz {

void RunHub(std::string_view input) {
  // What does not begin with a mark is a listing.
  auto parts = SplitFiles(input);
  if (parts.empty()) parts.emplace_back("listing", input);
  for (const auto& [name, text] : parts) {
    if (name == "listing") {
      const auto listing = hub::ParseListing(text, "the hub");
      if (!listing.ok()) continue;
      Check(listing->commit.size() == 40, "a commit has 40 digits");
      for (const auto& [file, unused] : listing->files) {
        Check(convert::IsInside(file), "a listed file is inside the folder");
        if (const auto get = hub::FileToGet(*listing, file, "the hub"); get.ok()) {
          Check(get->size.value_or(0) <= get->max_bytes, "no more bytes than its kind may have");
        }
      }
    } else if (name == "location") {
      Check(net::OriginOf(text).size() <= text.size(), "an origin is a part of its URL");
    } else if (name == "endpoint" && text.find('\0') == std::string::npos) {
      setenv("HF_ENDPOINT", text.c_str(), 1);
      setenv("HF_TOKEN_PATH", "/nonexistent", 1);
      if (const auto settings = hub::ReadSettings(); settings.ok()) {
        Check(settings->endpoint.starts_with("http"), "an endpoint is a URL");
        Check(settings->endpoint.find_first_of(" \t\r\n") == std::string::npos, "an endpoint is one word");
      }
      unsetenv("HF_ENDPOINT");
    }
  }
}

void RunLines(std::string_view input) {
  static MemoryFolder folder;
  for (const char* name : {"lines.jsonl", "lines.txt"}) {
    folder.Write(name, input);
    cli::SourceOptions source;
    source.input = folder.path() + "/" + name;
    cli::InputLimits limits;
    limits.batch_texts = 7;
    limits.json_bytes = 4096;
    auto opened = cli::Input::Open(source, limits);
    Check(opened.ok(), "the file opens");
    cli::Batch batch;
    std::uint64_t texts = 0;
    while (opened->Next(batch).ok() && !batch.texts.empty()) {
      Check(batch.first_index == texts, "texts are counted");
      Check(batch.texts.size() <= limits.batch_texts && batch.cut.size() == batch.texts.size(), "a batch has its size");
      for (const std::string& text : batch.texts) Check(text.size() <= cli::kMaxTextBytes, "a text is cut");
      texts += batch.texts.size();
    }
  }
}

void RunReplies(std::string_view input) {
  // The first byte chooses the dialect, the next ones what was asked for.
  if (input.size() < 4) return;
  const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(input[at])); };
  const backends::Table& table = backends::TheTable();
  auto chosen = table.dialects.begin();
  std::advance(chosen, static_cast<std::ptrdiff_t>(byte(0) % table.dialects.size()));
  const backends::Dialect& dialect = chosen->second;
  const std::size_t count = 1 + byte(1) % 4, dimensions = byte(2) % 5;
  net::HttpReply reply;
  reply.code = byte(3) % 4 == 3 ? 400 : 200;
  reply.body = input.substr(4);
  if (!dialect.tokens_header.empty()) reply.headers.push_back({dialect.tokens_header, reply.body.substr(0, 20)});
  std::vector<std::string> encodings = {""};
  for (const auto& [encoding, pointer] : dialect.items) encodings.push_back(encoding);
  for (const std::string& encoding : encodings) {
    if (!dialect.items.contains(encoding)) continue;
    const auto decoded = backends::DecodeReply(dialect, reply, encoding, count, dimensions, "a provider");
    if (!decoded.ok()) continue;
    Check(decoded->vectors.size() == count, "a vector for each text");
    for (const auto& vector : decoded->vectors) {
      Check(!vector.empty() && vector.size() == decoded->vectors[0].size(), "vectors of one length");
      Check(dimensions == 0 || vector.size() == dimensions, "vectors of the length that is expected");
      for (float value : vector) Check(std::isfinite(value), "vectors are finite");
    }
  }
  (void)backends::DecodeInfo(dialect, reply, "a provider").ok();
  const std::string message = backends::MessageOf(dialect, reply.body, "secret-key");
  Check(message.find("secret-key") == std::string::npos, "a message has no key");
  Check(message.find('\n') == std::string::npos, "a message is one line");
}

}  // namespace thimble::fuzz
