// Tests of what a name or a folder opens, with small random models.

#include "store/folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "store/source_folder.h"
#include "tests/support/test_model.h"
#include "thimble/convert.h"

namespace thimble::store {
namespace {

namespace fs = std::filesystem;
using test::TemporaryFolder;
using Metadata = std::vector<std::pair<std::string, std::string>>;

const std::string kCommit(40, 'a');

class Folder : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    source = new TemporaryFolder();
    test::TestModelOptions options;
    options.layers = 1;
    ASSERT_TRUE(test::WriteTestModel(source->path(), options).ok());
    for (const auto& [name, repository] : {std::pair<std::string, std::string>{"plain", ""},
                                           {"acme", "acme/tiny"},
                                           {"known", "acme/all-MiniLM-L6-v2"}}) {
      ConvertOptions made;
      made.calibrate = false;
      if (!repository.empty()) made.metadata = {{kRepositoryKey, repository}, {kRevisionKey, kCommit}};
      ASSERT_TRUE(ConvertModel(source->path(), source->File(name), made).ok());
    }
  }
  static void TearDownTestSuite() {
    delete source;
    source = nullptr;
  }

  // Puts one of the models there.
  void Put(const std::string& model, const std::string& file) {
    fs::create_directories(fs::path(home_.File(file)).parent_path());
    fs::copy_file(source->File(model), home_.File(file));
  }
  // The file that a name opens, relative to the folder, or the error.
  std::string Find(const std::string& text, const std::string& dtype = "q8") {
    const Result<ModelName> name = ParseName(text);
    if (!name.ok()) return name.status().message();
    const Result<std::string> path = FindFile(*name, dtype, home_.path());
    if (!path.ok()) code_ = path.status().code();
    return path.ok() ? path->substr(home_.path().size() + 1) : path.status().message();
  }
  static bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

  static TemporaryFolder* source;
  TemporaryFolder home_;
  Code code_ = Code::kOk;
};

TemporaryFolder* Folder::source = nullptr;

TEST_F(Folder, AnotherOrganisationsModelIsNeverOpened) {
  Put("plain", "acme/tiny-q8.safetensors");
  EXPECT_EQ(Find("acme/tiny"), "acme/tiny-q8.safetensors");
  const std::string error = Find("other/tiny");
  EXPECT_EQ(code_, Code::kNotFound);
  EXPECT_TRUE(Has(error, "other/tiny") && Has(error, "there is acme/tiny with dtype q8")) << error;
  EXPECT_TRUE(error.ends_with("thimble pull other/tiny --dtype q8")) << error;
  EXPECT_TRUE(Has(Find("acme/tiny", "q4"), "there is acme/tiny with dtype q8"));
}

TEST_F(Folder, ABareNameOpensTheOneThereIs) {
  Put("plain", "acme/tiny-q8.safetensors");
  EXPECT_EQ(Find("tiny"), "acme/tiny-q8.safetensors");
  Put("plain", "other/tiny-q8.safetensors");
  const std::string error = Find("tiny");
  EXPECT_EQ(code_, Code::kInvalidArgument);
  EXPECT_TRUE(Has(error, "acme/tiny") && Has(error, "other/tiny")) << error;
  Put("plain", "tiny-q8.safetensors");  // Which has exactly that name.
  EXPECT_EQ(Find("tiny"), "tiny-q8.safetensors");
}

TEST_F(Folder, NamesCompareWithoutCaseAndRevisionsWithIt) {
  Put("plain", "Acme/Tiny-q8.safetensors");
  Put("plain", "acme/tiny@%56-q8.safetensors");
  EXPECT_EQ(Find("ACME/tiny"), "Acme/Tiny-q8.safetensors");
  EXPECT_EQ(Find("TINY"), "Acme/Tiny-q8.safetensors");
  EXPECT_EQ(Find("Tiny@V"), "acme/tiny@%56-q8.safetensors");
  EXPECT_TRUE(Has(Find("tiny@v"), "there is Acme/Tiny with dtype q8, acme/tiny@V with dtype q8")) << Find("tiny@v");
}

TEST_F(Folder, ARevisionIsAnotherModel) {
  Put("acme", "acme/tiny@v2-q8.safetensors");
  const std::string error = Find("acme/tiny");
  EXPECT_TRUE(Has(error, "there is acme/tiny@v2 with dtype q8")) << error;
  EXPECT_EQ(Find("acme/tiny@v2"), "acme/tiny@v2-q8.safetensors");
  EXPECT_EQ(Find("tiny@" + kCommit), "acme/tiny@v2-q8.safetensors");
  EXPECT_EQ(Find("tiny@" + std::string(40, 'b')).substr(0, 5), "model");
  EXPECT_EQ(Find("acme/tiny@main").substr(0, 5), "model");
}

TEST_F(Folder, AnOlderFileIsWhoseItSaysItIs) {
  Put("acme", "tiny-q8.safetensors");
  for (const char* name : {"tiny", "acme/tiny", "ACME/Tiny"}) EXPECT_EQ(Find(name), "tiny-q8.safetensors") << name;
  EXPECT_TRUE(Has(Find("other/tiny"), "there is acme/tiny with dtype q8"));
  Put("plain", "small-q8.safetensors");
  EXPECT_EQ(Find("small"), "small-q8.safetensors");
  EXPECT_TRUE(Has(Find("acme/small"), "small with dtype q8 (no organisation is recorded in it)"));
  Put("acme", "renamed-q8.safetensors");  // By its owner.
  EXPECT_EQ(Find("renamed"), "renamed-q8.safetensors");
}

TEST_F(Folder, AKnownModelHasItsNamesAndNoOthers) {
  Put("plain", "sentence-transformers/all-MiniLM-L6-v2-q8.safetensors");
  Put("plain", "acme/all-MiniLM-L6-v2-q8.safetensors");
  const std::string known = "sentence-transformers/all-MiniLM-L6-v2-q8.safetensors";
  for (const char* name : {"all-MiniLM-L6-v2", "Xenova/all-MiniLM-L6-v2", "sentence-transformers/all-minilm-l6-v2"}) {
    EXPECT_EQ(Find(name), known) << name;
  }
  EXPECT_EQ(Find("acme/all-MiniLM-L6-v2"), "acme/all-MiniLM-L6-v2-q8.safetensors");
  fs::remove(home_.File(known));
  EXPECT_TRUE(Has(Find("all-MiniLM-L6-v2"), "there is acme/all-MiniLM-L6-v2"));
  Put("known", "all-MiniLM-L6-v2-q8.safetensors");  // An older file, of acme's.
  EXPECT_TRUE(Has(Find("Xenova/all-MiniLM-L6-v2"), "there is acme/all-MiniLM-L6-v2"));
  Put("plain", "gte-small-q8.safetensors");
  for (const char* name : {"gte-small", "thenlper/gte-small", "Supabase/gte-small"}) {
    EXPECT_EQ(Find(name), "gte-small-q8.safetensors") << name;
  }
}

TEST_F(Folder, ListsAndRemovesWhatANameOpens) {
  for (const char* file : {"tiny-q8", "tiny-q4", "acme/tiny-q8", "acme/tiny-q4", "acme/tiny@v2-q8", "other/tiny-q8"}) {
    Put("plain", std::string(file) + ".safetensors");
  }
  std::ofstream(home_.File("acme/noise-q8.safetensors")) << "noise";
  const auto list = [&] {
    std::string text;
    const Result<std::vector<NamedModel>> models = ListModels(home_.path());
    for (const NamedModel& model : *models) text += model.organisation + "/" + model.name + "-" + model.dtype + " ";
    return text;
  };
  EXPECT_EQ(list(), "/tiny-q4 acme/tiny-q4 /tiny-q8 acme/tiny-q8 other/tiny-q8 acme/tiny@v2-q8 ");
  EXPECT_EQ(RemoveModel("acme/tiny", "q4", home_.path())->size(), 1u);
  EXPECT_EQ(RemoveModel("tiny", "", home_.path())->size(), 2u);
  EXPECT_EQ(list(), "acme/tiny-q8 other/tiny-q8 acme/tiny@v2-q8 ");
  EXPECT_EQ(RemoveModel("tiny", "", home_.path()).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(RemoveModel("third/tiny", "", home_.path()).status().code(), Code::kNotFound);
  EXPECT_EQ(RemoveModel("other/tiny", "", home_.path())->size(), 1u);
  EXPECT_FALSE(fs::exists(home_.File("other")));
  EXPECT_EQ(RemoveModel("tiny@v2", "", home_.path())->size(), 1u);
  EXPECT_EQ(list(), "acme/tiny-q8 ");
  EXPECT_TRUE(fs::exists(home_.File("acme/noise-q8.safetensors")));
  for (const char* name : {"../tiny", "a b", ""}) EXPECT_FALSE(RemoveModel(name, "", home_.path()).ok()) << name;
}

// A link to itself, which cannot be opened, as a file on a broken disk cannot.
TEST_F(Folder, AModelThatCannotBeReadIsAnErrorOfTheList) {
  Put("plain", "tiny-q8.safetensors");
  ASSERT_EQ(ListModels(home_.path())->size(), 1u);
  fs::create_symlink("loop-q8.safetensors", home_.File("loop-q8.safetensors"));
  const Result<std::vector<NamedModel>> models = ListModels(home_.path());
  ASSERT_FALSE(models.ok());
  EXPECT_EQ(models.status().code(), Code::kIo);
  EXPECT_TRUE(Has(models.status().message(), "loop-q8.safetensors")) << models.status().message();
}

TEST_F(Folder, WhatAFolderHoldsIsUsedOrNamed) {
  TemporaryFolder models;
  const auto find = [&](const std::string& dtype) {
    const Result<std::string> found = FindInFolder(models.path(), dtype, home_.path());
    return found.ok() ? *found : found.status().message();
  };
  EXPECT_TRUE(Has(find("q8"), "found nothing")) << find("q8");
  std::ofstream(models.File("README.md")) << "text";
  fs::create_directory(models.File("acme"));
  EXPECT_TRUE(Has(find("q8"), "found README.md, acme/")) << find("q8");
  fs::copy_file(source->File("plain"), models.File("x-q8.safetensors"));
  EXPECT_EQ(find("q8"), fs::canonical(models.path()).string() + "/x-q8.safetensors");
  EXPECT_TRUE(Has(find("q4"), "no model with dtype q4, found x-q8.safetensors")) << find("q4");
  fs::copy_file(source->File("plain"), models.File("y-q8.safetensors"));
  EXPECT_TRUE(Has(find("q8"), "x-q8.safetensors, y-q8.safetensors")) << find("q8");
  EXPECT_TRUE(Has(FindInFolder("/nowhere/at/all", "q8", home_.path()).status().message(), "not found"));
}

TEST_F(Folder, ARecordHoldsAsLongAsTheFilesAreTheSame) {
  TemporaryFolder folder;
  const auto write = [&](const char* name, const std::string& text) { std::ofstream(folder.File(name)) << text; };
  write("config.json", "{}");
  write("a", "one");
  const SourceRecord record = *MakeRecord(folder.path(), {"config.json", "a", "b"});
  EXPECT_TRUE(record.Holds());
  write("a", "one");  // The same once more.
  EXPECT_TRUE(record.Holds());
  write("a", "two");
  EXPECT_FALSE(record.Holds());
  EXPECT_NE(MakeRecord(folder.path(), {"config.json", "a", "b"})->Content(), record.Content());
  write("a", "one");
  EXPECT_TRUE(record.Holds());
  write("b", "");
  EXPECT_FALSE(record.Holds());
  fs::remove(folder.File("b"));
  fs::remove(folder.File("a"));
  EXPECT_FALSE(record.Holds());
}

TEST(FileNames, AreEscapedWithoutLoss) {
  for (const std::string text : {"v2", "refs/pr/1", "V2", ".x", "a b", "100%", "\xC3\xA9", "a@b", "x-q8"}) {
    EXPECT_EQ(Unescaped(Escaped(text)), text);
    EXPECT_EQ(Escaped(text).find_first_of("/ @V"), std::string::npos) << Escaped(text);
  }
  for (const char* part : {"%", "%2", "%2f", "A", "%61", "a/b"}) {
    EXPECT_FALSE(Unescaped(part)) << part;
  }
  EXPECT_EQ(SplitFileName("a-q4@x-q4-q4-small.safetensors"),
            (std::pair<std::string, std::string>("a-q4@x-q4", "q4-small")));
  for (const char* file : {"a-q5.safetensors", "a.safetensors", "-q8.safetensors", "a@-q8.safetensors", "a-q8",
                           ".a-q8.safetensors", "a@%-q8.safetensors"}) {
    EXPECT_FALSE(SplitFileName(file)) << file;
  }
}

}  // namespace
}  // namespace thimble::store
