// Tests of reading what a repository holds.

#include "hub/listing.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

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

TEST(Listing, PicksWhatMakesAModel) {
  const Result<Listing> listing = ParseListing(Good().dump(), "it");
  ASSERT_TRUE(listing.ok()) << listing.status().message();
  EXPECT_EQ(listing->commit, kCommit);
  std::vector<std::string_view> names;
  for (const HubFile& file : listing->files) names.push_back(file.name);
  EXPECT_EQ(names, (std::vector<std::string_view>{"config.json", "tokenizer.json", "model.safetensors"}));
  EXPECT_EQ(listing->files[0].size, 100);
  EXPECT_EQ(listing->files[0].sha256, "");
  EXPECT_EQ(listing->files[2].size, 12345);
  EXPECT_EQ(listing->files[2].sha256, kHash);
}

TEST(Listing, DoesWithoutSizes) {
  Json json = Good();
  for (Json& entry : json["siblings"]) entry = {{"rfilename", entry["rfilename"]}};
  const Result<Listing> listing = ParseListing(json.dump(), "it");
  ASSERT_TRUE(listing.ok());
  for (const HubFile& file : listing->files) {
    EXPECT_EQ(file.size, std::nullopt);
    EXPECT_GT(file.max_bytes, 0u);
  }
}

TEST(Listing, TakesOnnxWhereThereIsNothingElse) {
  Json json = Good();
  json["siblings"].erase(2);
  const Result<Listing> listing = ParseListing(json.dump(), "it");
  ASSERT_TRUE(listing.ok());
  EXPECT_EQ(listing->files.back().name, "onnx/model.onnx");
  json["siblings"].erase(1);
  EXPECT_EQ(ParseListing(json.dump(), "it").status().code(), Code::kNotFound);
}

TEST(Listing, RefusesWhatItCannotTrust) {
  const auto code = [](const char* pointer, const Json& value) {
    Json json = Good();
    json[Json::json_pointer(pointer)] = value;
    return ParseListing(json.dump(), "it").status().code();
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
  EXPECT_EQ(code("/siblings/4/rfilename", "../config.json"), Code::kNotFound);
  EXPECT_EQ(code("/siblings/4", 7), Code::kNotFound);
  EXPECT_EQ(code("/siblings/4/size", -1), Code::kOk);  // As if it were not stated.
  for (const char* text : {"", "null", "{", "7", "[]"}) {
    EXPECT_EQ(ParseListing(text, "it").status().code(), Code::kCorrupt) << text;
  }
}

TEST(Listing, HashesAreLowerCaseHexadecimal) {
  EXPECT_TRUE(IsHex("0123456789abcdef", 16));
  for (const char* text : {"0123456789abcde", "0123456789abcdefa", "0123456789ABCDEF", "0123456789abcdeg", ""}) {
    EXPECT_FALSE(IsHex(text, 16)) << text;
  }
}

}  // namespace
}  // namespace thimble::hub
