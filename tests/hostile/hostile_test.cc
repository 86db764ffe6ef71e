// Hostile files: every malformed model file and source folder is refused with its own code and message, and no mutation
// of a valid file makes the library crash.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "format/dtypes.h"
#include "tests/support/test_model.h"
#include "thimble/convert.h"
#include "thimble/embedder.h"

namespace thimble {
namespace {

using format::Dtype;
using nlohmann::ordered_json;
using test::TemporaryFolder;
using test::TestModelOptions;
using test::WriteFile;

// A safetensors file in its parts.
struct Parts {
  explicit Parts(const std::string& bytes) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    header = ordered_json::parse(bytes.substr(8, length));
    data = bytes.substr(8 + length);
  }
  std::string Join() const { return Join(header.dump()); }
  // With another text in place of the header; padded to a cache line like a real one.
  std::string Join(std::string text) const {
    text.resize((text.size() + 8 + 63) / 64 * 64 - 8, ' ');
    std::string length(8, '\0');
    for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(text.size() >> (8 * i) & 255);
    return length + text + data;
  }
  ordered_json& Meta(const char* key) { return header["__metadata__"][key]; }

  ordered_json header;
  std::string data;
};

TestModelOptions Small() {
  TestModelOptions options;
  options.layers = 1;
  options.positions = 64;
  options.max_seq_length = 32;
  return options;
}

const std::string& ValidFile(Dtype dtype) {
  static std::map<Dtype, std::string> files;
  std::string& file = files[dtype];
  if (file.empty()) {
    TemporaryFolder folder;
    TestModelOptions options = Small();
    // The last layer of these is q8.
    if (dtype == Dtype::kQ6 || dtype == Dtype::kQ4) options.layers = 2;
    auto path = test::ConvertTestModel(folder.path(), dtype, options);
    EXPECT_TRUE(path.ok()) << path.status().message();
    file = test::ReadFile(*path);
  }
  return file;
}

// Collects what was said, so that no two faults may share a message.
class Refusals {
 public:
  void Expect(const std::string& name, const Status& status, Code code, const std::string& part) {
    SCOPED_TRACE(name);
    ASSERT_FALSE(status.ok()) << "accepted";
    EXPECT_EQ(CodeName(status.code()), CodeName(code)) << status.message();
    EXPECT_NE(status.message().find(part), std::string::npos) << "expected \"" << part << "\" in: " << status.message();
    EXPECT_TRUE(messages_.insert(status.message()).second) << "said before: " << status.message();
  }
  std::size_t count() const { return messages_.size(); }

 private:
  std::set<std::string> messages_;
};

struct FileCase {
  const char* name;
  std::function<std::string(Parts)> make;  // From a valid q8 file to the bytes of the broken one.
  Code code;
  const char* part;
};

// A case that edits the header's JSON.
FileCase Edit(const char* name, std::function<void(Parts&)> edit, Code code, const char* part) {
  auto make = [edit](Parts parts) {
    edit(parts);
    return parts.Join();
  };
  return {name, make, code, part};
}
// A case that replaces the header's text.
FileCase Header(const char* name, std::string text, Code code, const char* part) {
  return {name, [text](const Parts& parts) { return parts.Join(text); }, code, part};
}
FileCase MetadataCase(const char* name, const char* key, const char* value, Code code, const char* part) {
  return Edit(name, [=](Parts& p) { p.Meta(key) = value; }, code, part);
}

std::vector<FileCase> FileCases() {
  constexpr Code kBad = Code::kCorrupt;
  const std::string valid = ValidFile(Dtype::kQ8);
  auto raw = [](std::string bytes) { return [bytes](const Parts&) { return bytes; }; };
  auto length = [](std::uint64_t value, std::string rest) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &value, 8);
    return bytes + rest;
  };
  const std::string qkv = "layers.0.qkv.weight";
  std::vector<FileCase> cases = {
      {"empty", raw(""), kBad, "the file is empty"},
      {"five bytes", raw("hello"), kBad, "at least 8 bytes, found 5"},
      {"not a model", raw(std::string(100, 'x')), kBad, "at most"},
      {"header past the end", raw(length(4096, "{}")), kBad, "a header of 4096 bytes, the file has 10"},
      {"huge header", raw(length(~0ull, valid)), kBad, "a header of 18446744073709551615 bytes"},
      {"no header", raw(length(0, "")), kBad, "not JSON at byte"},
      {"data cut", raw(valid.substr(0, valid.size() - 64)), kBad, "of the data, the file has"},
      {"data too long", raw(valid + std::string(64, 'x')), kBad, "the tensors end at byte"},
      {"header cut", raw(valid.substr(0, 300)), kBad, "the file has 300"},
      Header("not JSON", "{\"a\": }", kBad, "not JSON at byte 7"),
      Header("array on top", "[1]", kBad, "did not expect an array"),
      Header("string on top", "\"x\"", kBad, "did not expect a string"),
      Header("number on top", "7", kBad, "did not expect a number"),
      Header("null on top", "null", kBad, "did not expect null"),
      Header("deeply nested", "{\"deep\":" + std::string(100000, '['), kBad, "\"deep\": did not expect an array"),
      Header(
          "deeply nested objects",
          [] {
            std::string text;
            for (int i = 0; i < 50000; ++i) text += "{\"a\":";
            return text;
          }(),
          kBad, "unknown key \"a\""),
      Header("invalid UTF-8", "{\"\xff\xfe\": 1}", kBad, "not JSON at byte 3"),
      Header("tensor is a number", "{\"t\": 5}", kBad, "\"t\": did not expect a number"),
      Header("metadata twice", "{\"__metadata__\":{},\"__metadata__\":{}}", kBad, "__metadata__ appears twice"),
      Header("metadata key twice", "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", kBad,
             "metadata \"k\" appears twice"),
      Header("metadata value not text", "{\"__metadata__\":{\"k\":1}}", kBad, "\"k\": did not expect a number"),
      Header("tensor twice",
             "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
             "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
             kBad, "tensor \"a\" appears twice"),
      Header("no dtype", "{\"a\":{\"shape\":[0],\"data_offsets\":[0,0]}}", kBad, "\"dtype\" is missing"),
      Header("no shape", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", kBad, "\"shape\" is missing"),
      Header("no offsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[0]}}", kBad, "\"data_offsets\" is missing"),
      Header("unknown key", "{\"a\":{\"dtype\":\"U8\",\"size\":1}}", kBad, "unknown key \"size\""),
      Header("dtype twice", "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", kBad, "\"dtype\" appears twice"),
      Header("unknown dtype", "{\"a\":{\"dtype\":\"U7\"}}", kBad, "unknown dtype \"U7\""),
      Header("dtype a number", "{\"a\":{\"dtype\":8}}", kBad, "\"dtype\": did not expect a number"),
      Header("shape a string", "{\"a\":{\"shape\":\"x\"}}", kBad, "\"shape\": did not expect a string"),
      Header("negative size", "{\"a\":{\"shape\":[-1]}}", kBad, "did not expect a negative number"),
      Header("fractional size", "{\"a\":{\"shape\":[1.5]}}", kBad, "did not expect a fraction"),
      Header("nested shape", "{\"a\":{\"shape\":[[1]]}}", kBad, "\"shape\": did not expect an array"),
      Header("boolean size", "{\"a\":{\"shape\":[true]}}", kBad, "did not expect a boolean"),
      Header("too many dimensions", "{\"a\":{\"shape\":[1,1,1,1,1,1,1,1,1]}}", kBad, "more than 8 dimensions"),
      Header("one offset", "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0]}}", kBad,
             "expected 2 numbers, found 1"),
      Header("three offsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0,0]}}", kBad,
             "\"data_offsets\": did not expect a number"),
      Header("shape overflows", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}",
             kBad, "its shape overflows"),
      Header("number too large for any type",
             "{\"huge\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,0]}}", kBad,
             "\"shape\": did not expect a fraction"),
      Edit(
          "offsets reversed",
          [=](Parts& p) { std::swap(p.header[qkv]["data_offsets"][0], p.header[qkv]["data_offsets"][1]); }, kBad,
          "its shape needs 12288 bytes"),
      Edit(
          "shape larger than its bytes", [=](Parts& p) { p.header[qkv]["shape"][0] = 13; }, kBad,
          "its shape needs 13312 bytes"),
      Edit(
          "tensor past the end",
          [=](Parts& p) {
            std::uint64_t end = p.data.size() + 64;
            p.header[qkv]["data_offsets"] = {end - 12288, end};
          },
          kBad, "of the data, the file has"),
      Edit(
          "tensors overlap",
          [](Parts& p) {
            p.header["layers.0.qkv.scale"]["data_offsets"] = p.header["layers.0.ffn_norm.bias"]["data_offsets"];
            p.header["layers.0.qkv.scale"]["shape"] = {64};
          },
          kBad, "the one before ends at"),
      Edit(
          "hole", [](Parts& p) { p.header.erase("layers.0.qkv.comp"); }, kBad,
          "tensor \"layers.0.qkv.bias\": begins at byte"),
      Edit(
          "too many tensors",
          [](Parts& p) {
            for (int i = 0; i < 17000; ++i) {
              p.header["t" + std::to_string(i)] = {{"dtype", "U8"}, {"shape", {0}}, {"data_offsets", {0, 0}}};
            }
          },
          kBad, "more than 16384 tensors"),
      Edit(
          "too many metadata",
          [](Parts& p) {
            for (int i = 0; i < 1100; ++i) p.Meta(("k" + std::to_string(i)).c_str()) = "";
          },
          kBad, "more than 1024 metadata entries"),
      {"data not on a cache line",
       [](const Parts& parts) {
         std::string bytes = parts.Join();
         std::uint64_t size;
         std::memcpy(&size, bytes.data(), 8);
         size += 1;
         std::memcpy(bytes.data(), &size, 8);
         return bytes.insert(8, " ");
       },
       kBad, "expected a multiple of 64"},
      Edit(
          "tensor not of whole cache lines",
          [](Parts& p) {
            auto& first = p.header["layers.0.ffn_norm.weight"]["data_offsets"];
            p.header["layers.0.ffn_norm.weight"]["shape"] = {63};
            p.header["layers.0.ffn_norm.bias"]["shape"] = {65};
            first[1] = first[1].get<int>() - 4;
            p.header["layers.0.ffn_norm.bias"]["data_offsets"][0] = first[1];
          },
          kBad, "252 bytes, expected a multiple of 64"),
      Edit(
          "another format", [](Parts& p) { p.header["__metadata__"] = {{"format", "pt"}}; }, kBad,
          "not a thimble model file"),
      MetadataCase("another version", "thimble.version", "3", Code::kUnsupported, "format version 3"),
      Edit(
          "metadata missing", [](Parts& p) { p.header["__metadata__"].erase("pooling"); }, kBad,
          "metadata \"pooling\" is missing"),
      MetadataCase("pad token without padded positions", "encoder.pad_id", "1", Code::kUnsupported,
                   "metadata \"encoder.pad_id\": this build does not know the value \"1\""),
      MetadataCase("padded positions without a pad token", "encoder.positions", "padded", kBad,
                   "metadata \"encoder.pad_id\" is missing"),
      Edit(
          "pad token beyond the vocabulary",
          [](Parts& p) {
            p.Meta("encoder.positions") = "padded";
            p.Meta("encoder.pad_id") = "99999";
          },
          kBad, "an integer from 0 to "),
      Edit(
          "padded positions without a row for the pad token",
          [](Parts& p) {
            p.Meta("encoder.positions") = "padded";
            p.Meta("encoder.pad_id") = "0";
          },
          kBad, "expected shape [65, 64], found [64, 64]"),
      MetadataCase("another norm", "encoder.norm", "rms", Code::kUnsupported,
                   "metadata \"encoder.norm\": this build does not know the value \"rms\""),
      MetadataCase("choice of a later thimble", "encoder.rotary_base", "10000", Code::kUnsupported,
                   "metadata \"encoder.rotary_base\": this build does not know the value \"10000\""),
      MetadataCase("activation", "activation", "mish", Code::kUnsupported, "the activation \"mish\""),
      MetadataCase("dtype", "dtype", "q3", Code::kUnsupported, "the dtype \"q3\""),
      MetadataCase("dtype against the matrices", "dtype", "fp32", kBad, "expected fp32 or fp16, found \"q8\""),
      MetadataCase("weight format", "layers.0.qkv.format", "q9", Code::kUnsupported, "the weight format \"q9\""),
      MetadataCase("table in another format", "embeddings.words.format", "q4", kBad, "expected U8, found I8"),
      MetadataCase("hidden_size 0", "hidden_size", "0", kBad, "an integer from 64 to 16384, found \"0\""),
      MetadataCase("hidden_size huge", "hidden_size", "99999999999999999999", kBad, "found \"99999999999999999999\""),
      MetadataCase("hidden_size not a number", "hidden_size", "64x", kBad, "found \"64x\""),
      MetadataCase("hidden_size negative", "hidden_size", "-64", kBad, "found \"-64\""),
      MetadataCase("hidden_size odd", "hidden_size", "100", kBad, "expected multiples of 64"),
      MetadataCase("hidden_size of another model", "hidden_size", "128", kBad, "found \"h4,h4\""),
      MetadataCase("layers", "layers", "2", kBad, "metadata \"layers.1.qkv.format\" is missing"),
      MetadataCase("layers huge", "layers", "1000000", kBad, "an integer from 1 to 128"),
      MetadataCase("heads", "heads", "64", kBad, "64 heads of hidden_size 64"),
      MetadataCase("bias of attention", "encoder.relative_reach", "91", kBad, "tensor \"attention.relative_bias\""),
      MetadataCase("bias of no distance", "encoder.relative_reach", "0", kBad, "encoder.relative_reach"),
      MetadataCase("bias of all distances", "encoder.relative_reach", "18446744073709551615", kBad,
                   "encoder.relative_reach"),
      MetadataCase("intermediate_size", "intermediate_size", "64", kBad, "metadata \"rotation.intermediate\""),
      MetadataCase("positions", "positions", "66", kBad, "expected shape [66, 64], found [64, 64]"),
      MetadataCase("vocabulary too large", "vocabulary", "99999", kBad, "expected shape [99999, 64]"),
      MetadataCase("vocabulary too small", "vocabulary", "50", kBad, "tokenizer"),
      MetadataCase("max_tokens above the positions", "max_tokens", "65", kBad, "an integer from 1 to 64, found \"65\""),
      MetadataCase("tokenizers_max_tokens", "tokenizers_max_tokens", "65", kBad,
                   "an integer from 1 to 64, found \"65\""),
      MetadataCase("max_tokens without room", "max_tokens", "2", kBad, "leaves no room beside 2 special tokens"),
      MetadataCase("epsilon", "layer_norm_eps", "nan", kBad, "found \"nan\""),
      MetadataCase("epsilon 0", "layer_norm_eps", "0", kBad, "a number between 0 and 1"),
      MetadataCase("pooling", "pooling", "median", kBad, "unknown pooling \"median\""),
      MetadataCase("pooling with nothing behind +", "pooling", "mean+", kBad, "unknown pooling \"\""),
      MetadataCase("too many poolings", "pooling", "cls+cls+cls+cls+cls+cls+cls+cls+cls", kBad, "more than 8"),
      MetadataCase("include_prompt", "include_prompt", "no", kBad, "expected true or false, found \"no\""),
      MetadataCase("modules", "head.modules", "17", kBad, "an integer from 1 to 16"),
      MetadataCase("modules that are not there", "head.modules", "1", kBad, "metadata \"head.0\" is missing"),
      MetadataCase("default prompt", "default_prompt_name", "nobody", kBad, "the name of a prompt, found \"nobody\""),
      MetadataCase("model_max_length", "model_max_length", "65", kBad, "an integer from 1 to 64, found \"65\""),
      Edit(
          "module of a later thimble",
          [](Parts& p) {
            p.header["__metadata__"]["head.modules"] = "1";
            p.header["__metadata__"]["head.0"] = "lstm";
          },
          Code::kUnsupported, "does not know the module \"lstm\""),
      Edit(
          "module without weights",
          [](Parts& p) {
            p.header["__metadata__"]["head.modules"] = "1";
            p.header["__metadata__"]["head.0"] = "dense";
            p.header["__metadata__"]["head.0.outputs"] = "16";
            p.header["__metadata__"]["head.0.activation"] = "tanh";
            p.header["__metadata__"]["head.0.residual"] = "false";
          },
          kBad, "metadata \"head.0.format\" is missing"),
      Edit(
          "truncation to more than there is",
          [](Parts& p) {
            p.header["__metadata__"]["head.modules"] = "1";
            p.header["__metadata__"]["head.0"] = "truncate";
            p.header["__metadata__"]["head.0.outputs"] = "65";
          },
          kBad, "an integer from 1 to 64, found \"65\""),
      MetadataCase("normalize", "normalize", "yes", kBad, "expected true or false, found \"yes\""),
      MetadataCase("rotation", "rotation.hidden", "h2,h4", kBad, "found \"h2,h4\""),
      MetadataCase("tokenizer number", "tokenizer.nodes", "1e3", kBad, "found \"1e3\""),
      MetadataCase("tokenizer nodes", "tokenizer.nodes", "4000000000", kBad, "found 4000000000"),
      MetadataCase("tokenizer of another kind", "tokenizer.kind", "Sentences", Code::kUnsupported,
                   "does not know the tokenizer \"Sentences\""),
      MetadataCase("tokenizer id", "tokenizer.unknown_id", "100000", kBad, "100000"),
      Edit(
          "tensor missing",
          [](Parts& p) {
            p.header["other"] = p.header["layers.0.ffn_in.weight"];
            p.header.erase("layers.0.ffn_in.weight");
          },
          kBad, "tensor \"layers.0.ffn_in.weight\" is missing"),
      Edit(
          "tensor of another type", [](Parts& p) { p.header["layers.0.ffn_in.scale"]["dtype"] = "I32"; }, kBad,
          "tensor \"layers.0.ffn_in.scale\": expected F32, found I32"),
      Edit(
          "tensor of another shape", [](Parts& p) { p.header["layers.0.ffn_in.scale"]["shape"] = {2, 64}; }, kBad,
          "expected shape [128], found [2, 64]"),
      Edit(
          "tokenizer table of two dimensions",
          [](Parts& p) {
            auto& shape = p.header["tokenizer.trie.labels"]["shape"];
            shape = {2, shape[0].get<int>() / 2};
          },
          kBad, "expected one dimension"),
      Edit(
          "tokenizer table of another type", [](Parts& p) { p.header["tokenizer.trie.labels"]["dtype"] = "I8"; }, kBad,
          "tensor \"tokenizer.trie.labels\": expected U8, found I8"),
  };
  return cases;
}

// What q6 and q4 have and q8 has not.
std::vector<FileCase> PackedCases() {
  constexpr Code kBad = Code::kCorrupt;
  auto erase = [](const char* name) {
    return [name](Parts& p) {
      p.header["other"] = p.header[name];
      p.header.erase(name);
    };
  };
  auto shape = [](const char* name, std::vector<int> value) {
    return [name, value](Parts& p) { p.header[name]["shape"] = value; };
  };
  auto type = [](const char* name) { return [name](Parts& p) { p.header[name]["dtype"] = "I8"; }; };
  // Of other shapes with as many bytes: 128 outputs of 64 inputs, 64 rows.
  auto flat = [](const char* name) {
    return [name](Parts& p) {
      int size = 1;
      for (int dimension : p.header[name]["shape"]) size *= dimension;
      p.header[name]["shape"] = {size / 64, 64};
    };
  };
  return {
      Edit("no groups", erase("layers.0.ffn_in.groups"), kBad, "tensor \"layers.0.ffn_in.groups\" is missing"),
      Edit("no codes", erase("layers.0.ffn_in.weight"), kBad, "tensor \"layers.0.ffn_in.weight\" is missing"),
      Edit("no comp", erase("layers.0.ffn_in.comp"), kBad, "tensor \"layers.0.ffn_in.comp\" is missing"),
      Edit("groups of another type", type("layers.0.ffn_in.groups"), kBad, "groups\": expected U8, found I8"),
      Edit("codes of another type", type("layers.0.ffn_in.weight"), kBad, "weight\": expected U8, found I8"),
      Edit("groups of another shape", flat("layers.0.ffn_in.groups"), kBad, "groups\": expected shape [8, "),
      Edit("codes of another shape", flat("layers.0.ffn_in.weight"), kBad, "weight\": expected shape [8, "),
      Edit("codes of as many bytes as q8", shape("layers.0.ffn_in.weight", {8, 16, 16, 4}), kBad, "weight\""),
      MetadataCase("codes said to be q8", "layers.0.ffn_in.format", "q8", kBad, "expected I8, found U8"),
      MetadataCase("codes said to be fp16", "layers.0.ffn_in.format", "fp16", kBad, "expected q8, q6 or q4"),
      Edit("no words", erase("embeddings.words.weight"), kBad, "tensor \"embeddings.words.weight\" is missing"),
      Edit("words of another type", type("embeddings.words.weight"), kBad, "words.weight\": expected U8, found I8"),
      Edit("words of another shape", flat("embeddings.words.weight"), kBad, "words.weight\": expected shape ["),
      Edit("no scales of words", erase("embeddings.words.scale"), kBad, "\"embeddings.words.scale\" is missing"),
      MetadataCase("words said to be q8", "embeddings.words.format", "q8", kBad, "words.weight\": expected I8"),
      MetadataCase("more rows", "vocabulary", "9999", kBad, "words.weight\": expected shape ["),
  };
}

TEST(Hostile, EveryMalformedTensorOfPackedCodesIsRefusedWithItsOwnMessage) {
  TemporaryFolder folder;
  const std::string path = folder.File("model.safetensors");
  for (Dtype dtype : {Dtype::kQ6, Dtype::kQ4, Dtype::kQ4Small}) {
    SCOPED_TRACE(format::DtypeName(dtype));
    const Parts valid(ValidFile(dtype));
    ASSERT_TRUE(WriteFile(path, valid.Join()).ok());
    ASSERT_TRUE(Model::Open(path).ok()) << Model::Open(path).status().message();
    Refusals refusals;
    for (const FileCase& c : PackedCases()) {
      ASSERT_TRUE(WriteFile(path, c.make(valid)).ok());
      refusals.Expect(c.name, Model::Open(path).status(), c.code, c.part);
    }
    // Each of the two forms in place of the other.
    for (const char* name : {"layers.0.ffn_in", "embeddings.words"}) {
      Parts other = valid;
      auto& format = other.header["__metadata__"][std::string(name) + ".format"];
      format = format == "q6" ? "q4" : "q6";
      ASSERT_TRUE(WriteFile(path, other.Join()).ok());
      refusals.Expect(name, Model::Open(path).status(), Code::kCorrupt,
                      std::string(name) + ".weight\": expected shape");
    }
  }
}

TEST(Hostile, EveryMalformedModelFileIsRefusedWithItsOwnMessage) {
  TemporaryFolder folder;
  const std::string path = folder.File("model.safetensors");
  const Parts valid(ValidFile(Dtype::kQ8));
  ASSERT_TRUE(WriteFile(path, valid.Join()).ok());
  ASSERT_TRUE(Model::Open(path).ok()) << "the unchanged file must be valid: " << Model::Open(path).status().message();
  Refusals refusals;
  for (const FileCase& c : FileCases()) {
    ASSERT_TRUE(WriteFile(path, c.make(valid)).ok());
    refusals.Expect(c.name, Model::Open(path).status(), c.code, c.part);
  }
  std::filesystem::remove(path);
  refusals.Expect("missing", Model::Open(path).status(), Code::kNotFound, "cannot open");
  std::filesystem::create_symlink(path, path);
  refusals.Expect("link to itself", Model::Open(path).status(), Code::kIo, "symbolic links");
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  refusals.Expect("directory", Model::Open(path).status(), Code::kInvalidArgument, "expected a regular file");
  std::filesystem::remove(path);
  const std::string fifo = folder.File("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  refusals.Expect("pipe", Model::Open(fifo).status(), Code::kInvalidArgument, "fifo: expected a regular file");
  EXPECT_GE(refusals.count(), 60u);
}

struct FolderCase {
  const char* name;
  std::function<void(const std::string& folder)> spoil;
  Code code;
  const char* part;
};

// Changes one JSON file of a folder.
std::function<void(const std::string&)> EditJson(const char* file, std::function<void(ordered_json&)> edit) {
  return [=](const std::string& folder) {
    const std::string path = folder + "/" + file;
    ordered_json json = ordered_json::parse(test::ReadFile(path));
    edit(json);
    ASSERT_TRUE(WriteFile(path, json.dump()).ok());
  };
}
std::function<void(const std::string&)> Replace(const char* file, const char* contents) {
  return [=](const std::string& folder) { ASSERT_TRUE(WriteFile(folder + "/" + file, contents).ok()); };
}
std::function<void(const std::string&)> Remove(const char* file) {
  return [=](const std::string& folder) { std::filesystem::remove(folder + "/" + file); };
}
// Changes the header of the weights.
std::function<void(const std::string&)> EditWeights(std::function<void(Parts&)> edit) {
  return [=](const std::string& folder) {
    Parts parts(test::ReadFile(folder + "/model.safetensors"));
    edit(parts);
    ASSERT_TRUE(WriteFile(folder + "/model.safetensors", parts.Join()).ok());
  };
}

std::vector<FolderCase> FolderCases() {
  constexpr Code kBad = Code::kCorrupt, kNo = Code::kUnsupported;
  auto config = [](const char* key, ordered_json value) {
    return EditJson("config.json", [=](ordered_json& j) { j[key] = value; });
  };
  return {
      {"no config", Remove("config.json"), Code::kNotFound, "config.json"},
      {"no tokenizer", Remove("tokenizer.json"), Code::kNotFound, "tokenizer.json"},
      {"no weights", Remove("model.safetensors"), Code::kNotFound, "model.safetensors"},
      {"config not JSON", Replace("config.json", "{"), kBad, "config.json: is not JSON"},
      {"config a string", Replace("config.json", "\"bert\""), kBad, "config.json: expected a JSON object"},
      {"config nested",
       [](const std::string& folder) {
         ASSERT_TRUE(WriteFile(folder + "/config.json", std::string(100000, '[')).ok());
       },
       kBad, "nested deeper than 64 levels"},
      {"config too large",
       [](const std::string& folder) {
         ASSERT_TRUE(WriteFile(folder + "/config.json", std::string((1 << 20) + 1, '[')).ok());
       },
       kBad, "1048577 bytes, at most 1048576 are allowed"},
      {"another model", config("model_type", "t5"), kNo,
       "found \"t5\", for which thimble lacks a bias of attention by relative positions, and RMS norms"},
      {"unknown model", config("model_type", "acme"), kNo, "\"model_type\": expected \"bert\" or "},
      {"model type a number", config("model_type", 5), kBad, "\"model_type\": expected a string"},
      {"activation", config("hidden_act", "mish"), kNo, "found \"mish\""},
      {"positions", config("position_embedding_type", "relative_key"), kNo, "found \"relative_key\""},
      {"hidden size missing", EditJson("config.json", [](ordered_json& j) { j.erase("hidden_size"); }), kBad,
       "\"hidden_size\": expected an integer, found nothing"},
      {"hidden size text", config("hidden_size", "64"), kBad, "found a string"},
      {"hidden size negative", config("hidden_size", -64), kBad, "found -64"},
      {"hidden size huge", config("hidden_size", 1u << 31), kBad, "found 2147483648"},
      {"hidden size odd", config("hidden_size", 65), kNo, "hidden_size 65"},
      {"heads", config("num_attention_heads", 3), kNo, "3 heads of hidden_size"},
      {"epsilon", config("layer_norm_eps", 0), kBad, "layer_norm_eps"},
      {"vocabulary too small", config("vocab_size", 20), kBad, "config.json has vocab_size 20"},
      {"modules an object", Replace("modules.json", "{}"), kBad, "modules.json: expected a JSON array"},
      {"unknown module",
       EditJson("modules.json", [](ordered_json& j) { j[1]["type"] = "sentence_transformers.models.LSTM"; }), kNo,
       "models.LSTM"},
      {"pooling elsewhere", EditJson("modules.json", [](ordered_json& j) { j[1]["path"] = "../../etc"; }), kBad,
       "\"../../etc\" is not a path inside the folder"},
      {"pooling file missing", Remove("1_Pooling/config.json"), Code::kNotFound, "1_Pooling/config.json"},
      {"unknown pooling",
       EditJson("1_Pooling/config.json", [](ordered_json& j) { j["pooling_mode_median_tokens"] = true; }), kNo,
       "pooling_mode_median_tokens"},
      {"limit text", Replace("sentence_bert_config.json", "{\"max_seq_length\": \"x\"}"), kBad, "max_seq_length"},
      {"limit too small", Replace("sentence_bert_config.json", "{\"max_seq_length\": 2}"), kBad, "leaves no room"},
      {"tokenizer not JSON", Replace("tokenizer.json", "[[["), kBad, "tokenizer.json"},
      {"tokenizer of another kind", EditJson("tokenizer.json", [](ordered_json& j) { j["model"]["type"] = "BPE"; }),
       kNo, "BPE"},
      {"weights a link to itself",
       [](const std::string& folder) {
         Remove("model.safetensors")(folder);
         std::filesystem::create_symlink("model.safetensors", folder + "/model.safetensors");
       },
       Code::kIo, "symbolic links"},
      {"weights a directory",
       [](const std::string& folder) {
         Remove("model.safetensors")(folder);
         std::filesystem::create_directory(folder + "/model.safetensors");
       },
       Code::kInvalidArgument, "model.safetensors: expected a regular file"},
      {"config a pipe",
       [](const std::string& folder) {
         Remove("config.json")(folder);
         ASSERT_EQ(mkfifo((folder + "/config.json").c_str(), 0600), 0);
       },
       Code::kInvalidArgument, "config.json: expected a regular file"},
      {"weights empty", Replace("model.safetensors", ""), kBad, "at least 8 bytes, found 0"},
      {"tensor missing", EditWeights([](Parts& p) {
         p.header["other"] = p.header["encoder.layer.0.output.dense.weight"];
         p.header.erase("encoder.layer.0.output.dense.weight");
       }),
       kBad, "tensor \"encoder.layer.0.output.dense.weight\" is missing"},
      {"tensor of another shape",
       EditWeights([](Parts& p) { p.header["encoder.layer.0.output.dense.weight"]["shape"] = {128, 64}; }), kBad,
       "expected shape [64, 128], found [128, 64]"},
      {"tensor of another type",
       EditWeights([](Parts& p) { p.header["encoder.layer.0.output.dense.weight"]["dtype"] = "I32"; }), kNo,
       "expected F32, F16 or BF16, found I32"},
      {"weights not finite", EditWeights([](Parts& p) {
         const std::uint64_t begin = p.header["encoder.layer.0.output.dense.weight"]["data_offsets"][0];
         const float bad = NAN;
         std::memcpy(&p.data[begin + 4 * 77], &bad, 4);
       }),
       kBad, "\"encoder.layer.0.output.dense.weight\" holds a value that is not finite"},
  };
}

TEST(Hostile, EveryMalformedFolderIsRefusedAndNothingIsLeftBehind) {
  Refusals refusals;
  for (const FolderCase& c : FolderCases()) {
    TemporaryFolder source, output;
    ASSERT_TRUE(test::WriteTestModel(source.path(), Small()).ok());
    c.spoil(source.path());
    // The folder's random name would make any two messages differ.
    Status status = ConvertModel(source.path(), output.File("model.safetensors"), {});
    std::string message = status.message();
    for (std::size_t at; (at = message.find(source.path())) != std::string::npos;)
      message.erase(at, source.path().size());
    refusals.Expect(c.name, status.ok() ? status : Status(status.code(), message), c.code, c.part);
    EXPECT_TRUE(std::filesystem::is_empty(output.path())) << c.name;
  }
}

TEST(Hostile, AnOutputThatCannotBeMadeIsAnErrorAndAFailureKeepsTheOldFile) {
  TemporaryFolder source, output;
  ASSERT_TRUE(test::WriteTestModel(source.path(), Small()).ok());
  EXPECT_EQ(ConvertModel(source.path(), output.File("no/such/folder"), {}).code(), Code::kNotFound);
  const std::string path = output.File("model.safetensors");
  ASSERT_TRUE(WriteFile(path, "old").ok());
  EditWeights([](Parts& p) { p.header["encoder.layer.0.output.dense.bias"]["dtype"] = "I32"; })(source.path());
  EXPECT_FALSE(ConvertModel(source.path(), path, {}).ok());
  EXPECT_EQ(test::ReadFile(path), "old");
}

// Opens a file and, where that succeeds, embeds with it. Anything but a crash and a vector that is not finite is right.
bool OpensAndEmbeds(const std::string& path) {
  auto model = Model::Open(path);
  if (!model.ok()) {
    EXPECT_FALSE(model.status().message().empty());
    return false;
  }
  auto embedder = Embedder::Create(*model);
  if (!embedder.ok()) return false;
  std::vector<float> vectors(3 * (*model)->dimensions());
  const std::string_view texts[] = {"a small vector", "",
                                    "[MASK] the memory \xe2\x82\xac \xff of cats and dogs, playing!"};
  const Status status = embedder->EmbedBatch(texts, vectors);
  if (!status.ok()) {
    EXPECT_EQ(status.code(), Code::kCorrupt) << status.message();
  } else {
    for (const float value : vectors) EXPECT_TRUE(std::isfinite(value));
  }
  return true;
}

TEST(Hostile, TenThousandMutationsNeverCrash) {
  TemporaryFolder folder;
  const std::string path = folder.File("model.safetensors");
  std::mt19937 random(11);
  std::size_t opened = 0, refused = 0;
  const Dtype dtypes[] = {Dtype::kQ8, Dtype::kQ6, Dtype::kQ4, Dtype::kQ4Small, Dtype::kFp32};
  for (int i = 0; i < 10000; ++i) {
    std::string bytes = ValidFile(dtypes[i % 5]);
    std::uint64_t header;
    std::memcpy(&header, bytes.data(), 8);
    // Half of the mutations fall on the header, where most checks are; a quarter on the tokenizer, which comes next.
    const std::size_t range[] = {8 + header, 8 + header, 8 + header + 16384, bytes.size()};
    for (std::size_t n = 1 + random() % 3; n > 0; --n) {
      bytes[random() % std::min(range[i % 4], bytes.size())] = static_cast<char>(random());
    }
    if (i % 50 == 0) bytes.resize(random() % bytes.size());
    ASSERT_TRUE(WriteFile(path, bytes).ok());
    (OpensAndEmbeds(path) ? opened : refused) += 1;
    if (HasFailure()) FAIL() << "mutation " << i;
  }
  // Both must be frequent, or the mutations test nothing.
  EXPECT_GT(opened, 500u);
  EXPECT_GT(refused, 500u);
}

}  // namespace
}  // namespace thimble
