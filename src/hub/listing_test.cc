// Tests of reading what a repository holds.

#include "hub/listing.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "json/json_file.h"

namespace thimble::hub {
namespace {

using Json = nlohmann::json;

const std::string kCommit(40, 'a');
const std::string kHash(64, 'b');

Json Good() {
  Json listing = {{"sha", kCommit}, {"siblings", Json::array()}};
  for (const char* name : {"README.md", "onnx/model.onnx", "model.safetensors", "tokenizer.json", "config.json"}) {
    listing["siblings"].push_back({{"rfilename", name}, {"size", 100}});
  }
  listing["siblings"][2]["lfs"] = {{"sha256", kHash}, {"size", 12345}, {"pointerSize", 134}};
  return listing;
}

TEST(Listing, HasWhatTheHubStatesOfEachFile) {
  Json json = Good();
  json["id"] = "Test/tiny";
  const Result<Listing> listing = ParseListing(json.dump(), "it");
  ASSERT_TRUE(listing.ok()) << listing.status().message();
  EXPECT_EQ(listing->commit, kCommit);
  EXPECT_EQ(listing->repository, "Test/tiny");
  EXPECT_EQ(listing->files.size(), 5u);
  EXPECT_EQ(FileToGet(*listing, "config.json", "it")->size, 100);
  EXPECT_EQ(FileToGet(*listing, "config.json", "it")->sha256, "");
  EXPECT_EQ(FileToGet(*listing, "model.safetensors", "it")->size, 12345);
  EXPECT_EQ(FileToGet(*listing, "model.safetensors", "it")->sha256, kHash);
}

TEST(Listing, DoesWithoutSizes) {
  Json json = Good();
  for (Json& entry : json["siblings"]) entry = {{"rfilename", entry["rfilename"]}};
  const Result<Listing> listing = ParseListing(json.dump(), "it");
  ASSERT_TRUE(listing.ok());
  for (const auto& [name, file] : listing->files) {
    EXPECT_EQ(file.size, std::nullopt);
    EXPECT_GT(file.max_bytes, 0u);
  }
}

TEST(Listing, TheFilesOfATokenizerMayBeLargerThanSettings) {
  Json json = Good();
  for (const char* name : {"vocab.txt", "vocab.json", "0_Transformer/merges.txt", "sentencepiece.bpe.model"}) {
    json["siblings"].push_back({{"rfilename", name}, {"size", 100}});
  }
  const Result<Listing> listing = ParseListing(json.dump(), "it");
  ASSERT_TRUE(listing.ok());
  EXPECT_EQ(listing->files.at("config.json").max_bytes, json::kMaxConfigBytes);
  for (const char* name :
       {"tokenizer.json", "vocab.txt", "vocab.json", "0_Transformer/merges.txt", "sentencepiece.bpe.model"}) {
    EXPECT_EQ(listing->files.at(name).max_bytes, json::kMaxTokenizerBytes) << name;
  }
}

TEST(Listing, HasNoNamesThatLeadOut) {
  Json json = Good();
  for (const char* name : {"../config.json", "/etc/passwd", "a/../../b", "a\\b", "", "C:/x"}) {
    json["siblings"].push_back({{"rfilename", name}});
  }
  EXPECT_EQ(ParseListing(json.dump(), "it")->files.size(), 5u);
}

TEST(Listing, RefusesWhatItCannotTrust) {
  const auto code = [](const char* pointer, const Json& value) {
    Json json = Good();
    json[Json::json_pointer(pointer)] = value;
    const Result<Listing> listing = ParseListing(json.dump(), "it");
    if (!listing.ok()) return listing.status().code();
    for (const auto& [name, file] : listing->files) {
      if (Status status = FileToGet(*listing, name, "it").status(); !status.ok()) return status.code();
    }
    return Code::kOk;
  };
  EXPECT_EQ(code("/sha", 5), Code::kCorrupt);
  EXPECT_EQ(code("/sha", "main"), Code::kCorrupt);
  EXPECT_EQ(code("/sha", std::string(40, 'A')), Code::kCorrupt);
  EXPECT_EQ(code("/sha", "../" + std::string(37, 'a')), Code::kCorrupt);
  EXPECT_EQ(code("/siblings", Json::object()), Code::kCorrupt);
  EXPECT_EQ(code("/siblings/2/lfs/sha256", "not a hash"), Code::kCorrupt);
  EXPECT_EQ(code("/siblings/2/lfs/size", std::uint64_t{1} << 40), Code::kCorrupt);
  EXPECT_EQ(code("/siblings/3/size", 65 << 20), Code::kCorrupt);
  EXPECT_EQ(code("/siblings/4/size", 2 << 20), Code::kCorrupt);
  EXPECT_EQ(code("/siblings/4", 7), Code::kOk);        // As if it were not there.
  EXPECT_EQ(code("/siblings/4/size", -1), Code::kOk);  // As if it were not stated.
  for (const char* text : {"", "null", "{", "7", "[]"}) {
    EXPECT_EQ(ParseListing(text, "it").status().code(), Code::kCorrupt) << text;
  }
}

}  // namespace
}  // namespace thimble::hub
