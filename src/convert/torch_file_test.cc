// Tests of reading files of torch.save: what torch itself wrote, views made by hand, and hostile files of both
// containers, which are refused with a reason.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "convert/weight_file.h"
#include "tests/support/test_model.h"

namespace thimble::convert {
namespace {

using Shape = std::vector<std::uint64_t>;
using Floats = std::vector<float>;

// `bytes` bytes of `value`, little-endian.
std::string Little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i, value >>= 8) text += static_cast<char>(value & 255);
  return text;
}

// Pieces of pickles.
std::string Text(std::string_view text) { return "X" + Little(text.size(), 4) + std::string(text); }
std::string Int(std::int64_t value) { return "\x8a\x08" + Little(static_cast<std::uint64_t>(value), 8); }
std::string Global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
std::string Tuple(const std::vector<std::string>& items) {
  std::string text = "(";
  for (const std::string& item : items) text += item;
  return text + "t";
}
std::string Ints(const std::vector<std::int64_t>& values) {
  std::vector<std::string> items;
  for (std::int64_t value : values) items.push_back(Int(value));
  return Tuple(items);
}
std::string Utils(const std::string& name) { return Global("torch._utils", name); }
std::string Storage(const std::string& type, std::string_view key, std::int64_t elements, bool legacy = false) {
  return Tuple({Text("storage"), Global("torch", type), Text(key), Text("cpu"), Int(elements), legacy ? "N" : ""}) +
         "Q";
}
const std::string kHooks = Global("collections", "OrderedDict") + ")R";
std::string View(const std::string& storage, std::int64_t offset, const std::vector<std::int64_t>& shape,
                 const std::vector<std::int64_t>& strides, const std::string& more = "") {
  return Utils("_rebuild_tensor_v2") + Tuple({storage, Int(offset), Ints(shape), Ints(strides), "\x89", kHooks, more}) +
         "R";
}
std::string Dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string text = "}(";
  for (const auto& [name, value] : items) text += Text(name) + value;
  return text + "u";
}
std::string Pickled(const std::string& program) { return "\x80\x02" + program + "."; }

std::string Bytes(const Floats& values) { return {reinterpret_cast<const char*>(values.data()), 4 * values.size()}; }
Floats Counting(std::size_t count) {
  Floats values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
  return values;
}

struct Part {
  std::string name, data;
  std::uint64_t method = 0, flags = 0;
  std::string local_name = name;
  std::uint64_t bytes = data.size();  // As the directory has it.
  bool wide = false;                  // Sizes and place in the extra field of 64 bits.
};

struct Zip {
  std::vector<Part> parts;
  bool wide = false;             // With the end record of 64 bits.
  std::uint64_t entries = 0;     // Beyond the parts, as the end record has them.
  std::uint64_t shift = 0;       // Of the directory's place.
  bool second_on_first = false;  // The second entry begins where the first does.
};

std::string Write(const Zip& zip) {
  std::string file, directory;
  std::uint64_t first = 0;
  for (const Part& part : zip.parts) {
    std::uint64_t begin = file.size();
    if (zip.second_on_first && &part == &zip.parts[1]) begin = first;
    const std::string sizes = Little(part.wide ? 0xffffffff : part.bytes, 4);
    file += "PK\x03\x04" + Little(0, 4) + Little(part.method, 2) + Little(0, 8) + sizes + sizes +
            Little(part.local_name.size(), 2) + Little(3, 2) + part.local_name + "pad" + part.data;
    const std::string extra =
        part.wide ? Little(1, 2) + Little(24, 2) + Little(part.bytes, 8) + Little(part.bytes, 8) + Little(begin, 8)
                  : "";
    directory += "PK\x01\x02" + Little(0, 4) + Little(part.flags, 2) + Little(part.method, 2) + Little(0, 8) + sizes +
                 sizes + Little(part.name.size(), 2) + Little(extra.size(), 2) + Little(0, 10) +
                 Little(part.wide ? 0xffffffff : begin, 4) + part.name + extra;
  }
  const std::uint64_t begin = file.size() + zip.shift, end64 = file.size() + directory.size();
  const std::uint64_t entries = zip.parts.size() + zip.entries;
  file += directory;
  if (zip.wide) {
    file += "PK\x06\x06" + Little(44, 8) + Little(0, 12) + Little(entries, 8) + Little(entries, 8) +
            Little(directory.size(), 8) + Little(begin, 8);
    file += "PK\x06\x07" + Little(0, 4) + Little(end64, 8) + Little(1, 4);
  }
  return file + "PK\x05\x06" + Little(0, 4) + Little(zip.wide ? 0xffff : entries, 2) +
         Little(zip.wide ? 0xffff : entries, 2) + Little(zip.wide ? 0xffffffff : directory.size(), 4) +
         Little(zip.wide ? 0xffffffff : begin, 4) + Little(0, 2);
}

using Storages = std::vector<std::pair<std::string, std::string>>;  // Keys and bytes.

Zip TorchZip(const std::string& program, const Storages& storages) {
  Zip zip;
  zip.parts.push_back({.name = "any name/data.pkl", .data = Pickled(program)});
  for (const auto& [key, bytes] : storages) zip.parts.push_back({.name = "any name/data/" + key, .data = bytes});
  return zip;
}
std::string TorchArchive(const std::string& program, const Storages& storages) {
  return Write(TorchZip(program, storages));
}

const std::string kMagic = Pickled("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
const std::string kVersion = Pickled("M\xe9\x03");
const std::string kSystem = Pickled("}" + Text("little_endian") + "\x88s");

// `width`: bytes of an element.
std::string Legacy(const std::string& program, const Storages& storages, std::size_t width = 4) {
  std::string keys = "](", data;
  for (const auto& [key, bytes] : storages) {
    keys += Text(key);
    data += Little(bytes.size() / width, 8) + bytes;
  }
  return kMagic + kVersion + kSystem + Pickled(program) + Pickled(keys + "e") + data;
}

class TorchFileTest : public testing::Test {
 protected:
  Result<std::unique_ptr<WeightFile>> Open(const std::string& bytes) {
    // In place, because to create or empty a file thousands of times is slow.
    const std::string path = folder_.File("model.bin");
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    if (!file) file.open(path, std::ios::binary | std::ios::out);
    file << bytes;
    file.close();
    std::filesystem::resize_file(path, bytes.size());
    return OpenTorchFile(path);
  }

  void ExpectRefused(const std::string& bytes, Code code, const std::string& part) {
    const auto file = Open(bytes);
    ASSERT_FALSE(file.ok()) << "expected: " << part;
    EXPECT_EQ(file.status().code(), code) << file.status().message();
    EXPECT_NE(file.status().message().find(part), std::string::npos)
        << file.status().message() << "\nexpected: " << part;
  }
  // The pickle of an archive without storages.
  void ExpectPickleRefused(const std::string& program, Code code, const std::string& part) {
    ExpectRefused(TorchArchive(program, {}), code, part);
    ExpectRefused(Legacy(program, {}), code, part);
  }

  // The whole of a tensor, read in pieces of `piece`.
  static Floats ReadAll(WeightFile& file, std::size_t index, std::size_t piece) {
    std::size_t count = 1;
    for (std::uint64_t length : file.tensors()[index].shape) count *= length;
    Floats values(count, -99);
    for (std::size_t first = 0; first < count; first += piece) {
      const Status status = file.Read(index, first, std::span(values).subspan(first, std::min(piece, count - first)));
      EXPECT_TRUE(status.ok()) << status.message();
    }
    return values;
  }

  test::TemporaryFolder folder_;
};

constexpr const char* kFixtures[] = {"zip_2", "zip_4", "zip_5", "legacy_2", "legacy_4"};

std::string Fixture(const std::string& name) { return THIMBLE_FIXTURES "/torch/" + name + ".bin"; }

TEST_F(TorchFileTest, ReadsWhatTorchWrote) {
  struct Expected {
    Shape shape;
    Floats values;
  };
  const std::map<std::string, Expected> expected = {
      {"whole", {{3, 4}, {0, .25, .5, .75, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75}}},
      {"transposed", {{4, 3}, {0, 1, 2, .25, 1.25, 2.25, .5, 1.5, 2.5, .75, 1.75, 2.75}}},
      {"behind", {{4}, {2, 2.25, 2.5, 2.75}}},
      {"every_third", {{4}, {.25, 1, 1.75, 2.5}}},
      {"single", {{3, 2}, {0, .375, .125, .5, .25, .625}}},
      {"half", {{2, 3}, {0, .25, .5, .75, 1, 1.25}}},
      {"brain", {{6}, {0, 16, 32, 48, 64, 80}}},
      {"parameter", {{3}, {-1, 0, 1}}},
      {"attributed", {{2}, {0, 1}}},
      {"expanded", {{2, 2}, {2.5, 2.5, 2.5, 2.5}}},
      {"scalar", {{}, {7}}},
      {"empty", {{0, 3}, {}}},
  };
  for (const char* name : kFixtures) {
    const auto file = OpenTorchFile(Fixture(name));
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ((*file)->path(), Fixture(name));
    ASSERT_EQ((*file)->tensors().size(), expected.size() + 2);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const WeightTensor& tensor = (*file)->tensors()[i];
      ASSERT_TRUE(expected.contains(tensor.name)) << name << " " << tensor.name;
      EXPECT_EQ(tensor.shape, expected.at(tensor.name).shape) << name << " " << tensor.name;
      for (std::size_t piece : {1, 2, 5, 100}) {
        EXPECT_EQ(ReadAll(**file, i, piece), expected.at(tensor.name).values) << name << " " << tensor.name;
      }
    }
  }
}

TEST_F(TorchFileTest, ListsIntegersAndRefusesToReadThemByName) {
  for (const char* name : kFixtures) {
    const auto file = OpenTorchFile(Fixture(name));
    ASSERT_TRUE(file.ok()) << file.status().message();
    const std::pair<const char*, const char*> others[] = {{"position_ids", "int64"}, {"unsigned", "uint16"}};
    for (std::size_t i = 0; i < 2; ++i) {
      const std::size_t index = (*file)->tensors().size() - 2 + i;
      EXPECT_EQ((*file)->tensors()[index].name, others[i].first);
      float value = 0;
      const Status status = (*file)->Read(index, 0, std::span(&value, 1));
      EXPECT_EQ(status.code(), Code::kUnsupported);
      EXPECT_NE(status.message().find(std::string(others[i].first) + "\": expected float64, float32, float16 or " +
                                      "bfloat16, found " + others[i].second),
                std::string::npos)
          << status.message();
    }
  }
}

TEST_F(TorchFileTest, ReadsTransposedMatricesOfManyBlocksInPiecesOfAnySize) {
  // More blocks of the cache than it has, so that some are replaced while others are kept.
  constexpr std::size_t kRows = 450, kColumns = 2500;
  const Floats values = Counting(kRows * kColumns);
  const std::string view = View(Storage("FloatStorage", "0", kRows * kColumns), 0, {kColumns, kRows}, {1, kColumns});
  const auto file = Open(TorchArchive(Dict({{"a", view}}), {{"0", Bytes(values)}}));
  ASSERT_TRUE(file.ok()) << file.status().message();
  for (std::size_t piece : {std::size_t{12345}, kRows * kColumns}) {
    const Floats read = ReadAll(**file, 0, piece);
    for (std::size_t i = 0; i < read.size(); ++i) {
      ASSERT_EQ(read[i], values[i % kRows * kColumns + i / kRows]) << piece << " " << i;
    }
  }
}

TEST_F(TorchFileTest, ReadsAlternatelyFromSeveralStoragesOfUnevenLengths) {
  const std::string a = View(Storage("FloatStorage", "a", 130), 1, {64, 2}, {1, 64});
  const std::string b = View(Storage("FloatStorage", "b", 131), 0, {65, 2}, {1, 65});
  Floats second = Counting(131);
  for (float& value : second) value = -value;
  const std::string program = Dict({{"a", a}, {"b", b}});
  const Storages storages = {{"a", Bytes(Counting(130))}, {"b", Bytes(second)}};
  for (const std::string& bytes : {TorchArchive(program, storages), Legacy(program, storages)}) {
    const auto file = Open(bytes);
    ASSERT_TRUE(file.ok()) << file.status().message();
    for (std::size_t i = 0; i < 64; ++i) {
      Floats pair(2);
      ASSERT_TRUE((*file)->Read(0, 2 * i, pair).ok());
      EXPECT_EQ(pair, (Floats{static_cast<float>(i + 1), static_cast<float>(i + 65)}));
      ASSERT_TRUE((*file)->Read(1, 2 * i, pair).ok());
      EXPECT_EQ(pair, (Floats{-static_cast<float>(i), -static_cast<float>(i + 65)}));
    }
  }
}

TEST_F(TorchFileTest, ReadsZipsOf64Bits) {
  Zip zip = TorchZip(Dict({{"a", View(Storage("FloatStorage", "0", 2), 0, {2}, {1})}}), {{"0", Bytes({3, 4})}});
  zip.wide = true;
  for (Part& part : zip.parts) part.wide = true;
  const auto file = Open(Write(zip));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(ReadAll(**file, 0, 2), (Floats{3, 4}));
}

TEST_F(TorchFileTest, ReadsTheOrderedDictAndStringsOfPython2) {
  const std::string view = View(Storage("FloatStorage", "0", 2), 0, {2}, {1});
  const std::string pair =
      "](U\x01"
      "a" +
      view + "e";
  const auto file =
      Open(TorchArchive(Global("collections", "OrderedDict") + "](" + pair + "e\x85R", {{"0", Bytes({3, 4})}}));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ((*file)->tensors()[0].name, "a");
  EXPECT_EQ(ReadAll(**file, 0, 2), (Floats{3, 4}));
}

TEST_F(TorchFileTest, ReadsAFileWithoutTensors) {
  const auto file = Open(TorchArchive("}", {}));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_TRUE((*file)->tensors().empty());
}

TEST_F(TorchFileTest, RefusesGlobalsThatAreNotOnTheListByNameAndByte) {
  const std::string system = Text("ls") + "\x85";
  // The pickle begins behind the header of its entry, of 30 bytes, 17 of name and 3 of padding.
  ExpectRefused(TorchArchive(Global("os", "system") + system + "R", {}), Code::kUnsupported,
                "byte 52: the pickle names os.system, which is refused");
  ExpectPickleRefused(Global("posix", "system") + system + "R", Code::kUnsupported, "names posix.system");
  ExpectPickleRefused(Global("builtins", "eval") + system + "R", Code::kUnsupported, "names builtins.eval");
  ExpectPickleRefused(Text("os") + Text("system") + "\x93" + system + "R", Code::kUnsupported, "names os.system");
  ExpectPickleRefused("\x8c\x02os\x94\x8c\x06system\x94\x93" + system + "R", Code::kUnsupported, "names os.system");
  ExpectPickleRefused(Global("torch", "load") + ")R", Code::kUnsupported, "names torch.load");
  ExpectPickleRefused(Utils("_rebuild_qtensor") + ")R", Code::kUnsupported, "names torch._utils._rebuild_qtensor");
  ExpectPickleRefused(Global("o\x1b[s", "x"), Code::kUnsupported, "names o?[s.x");
  ExpectPickleRefused("c" + std::string(300, 'a'), Code::kCorrupt, "more than 256 bytes in the name of a global");
  ExpectPickleRefused(Int(1) + Text("system") + "\x93", Code::kCorrupt, "the names of a global are no strings");
  // Also where nothing would come of it.
  ExpectRefused(kMagic + kVersion + Pickled(Global("os", "system") + system + "R"), Code::kUnsupported, "os.system");
  ExpectRefused(Pickled(Global("os", "system") + system + "R"), Code::kUnsupported, "names os.system");
}

TEST_F(TorchFileTest, RefusesCallsOfWhatIsNoFunction) {
  ExpectPickleRefused(Text("os") + ")R", Code::kUnsupported, "a call of what is no function is refused");
  ExpectPickleRefused(Global("torch", "FloatStorage") + ")R", Code::kUnsupported,
                      "a call of torch.FloatStorage is refused");
  ExpectPickleRefused(Global("torch.nn.parameter", "Parameter") + ")R", Code::kUnsupported,
                      "a call of torch.nn.parameter.Parameter is refused");
  ExpectPickleRefused(Utils("_rebuild_tensor") + "]R", Code::kCorrupt, "the arguments of a call are no tuple");
  ExpectPickleRefused("}}b", Code::kUnsupported, "opcode BUILD of a pickle is refused but for attributes");
  ExpectPickleRefused(kHooks + "]b", Code::kUnsupported, "opcode BUILD of a pickle is refused but for attributes");
  ExpectPickleRefused(kHooks + Dict({{"items", "N"}}) + "b", Code::kUnsupported, "other than _metadata");
}

TEST_F(TorchFileTest, RefusesEveryOpcodeThatIsNotOnTheList) {
  const std::string known = "(.JKMNQRUX]abcehjqrstuG})\x80\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95";
  int refused = 0;
  for (int opcode = 0; opcode < 256; ++opcode) {
    if (known.find(static_cast<char>(opcode)) != std::string::npos) continue;
    ++refused;
    ExpectPickleRefused(std::string(1, static_cast<char>(opcode)), Code::kUnsupported, std::to_string(opcode));
  }
  EXPECT_EQ(refused, 256 - 36);
  ExpectPickleRefused("(ios\nsystem\n", Code::kUnsupported, "opcode INST (105) of a pickle is refused");
  ExpectPickleRefused("(o", Code::kUnsupported, "opcode OBJ (111)");
  ExpectPickleRefused(")\x81", Code::kUnsupported, "opcode NEWOBJ (129)");
  ExpectPickleRefused("\x8b" + Little(1u << 30, 4), Code::kUnsupported, "opcode LONG4 (139)");
  ExpectPickleRefused("}\x80\x02", Code::kUnsupported, "opcode 128");
}

TEST_F(TorchFileTest, RefusesMalformedPickles) {
  ExpectPickleRefused("", Code::kCorrupt, "ends with 0 values on the stack");
  ExpectPickleRefused("NN", Code::kCorrupt, "ends with 2 values on the stack");
  ExpectPickleRefused("t", Code::kCorrupt, "needs a mark on the stack");
  ExpectPickleRefused("N(\x85t", Code::kCorrupt, "needs 1 values on the stack, found 0");
  ExpectPickleRefused("]N}(e", Code::kUnsupported, "items are put into what is no list or dict");
  ExpectPickleRefused("}(Nu", Code::kCorrupt, "a key without a value");
  ExpectPickleRefused("h\x07", Code::kCorrupt, "nothing is in the memo at 7");
  ExpectPickleRefused("q\x01", Code::kCorrupt, "needs 1 values on the stack, found 0");
  ExpectRefused(Write({.parts = {{.name = "a/data.pkl", .data = "N."}}}), Code::kCorrupt,
                "expected the pickle to begin with opcode PROTO, found opcode 78");
  ExpectRefused(Write({.parts = {{.name = "a/data.pkl", .data = "\x80\x06N."}}}), Code::kUnsupported,
                "expected pickle protocol 2 to 5, found 6");
  ExpectRefused(Write({.parts = {{.name = "a/data.pkl", .data = "\x80\x02N"}}}), Code::kCorrupt, "needs 1 bytes at");
}

TEST_F(TorchFileTest, RefusesBombs) {
  const std::size_t many = 1 << 20;
  ExpectPickleRefused("X" + Little(0xffffffff, 4), Code::kCorrupt, "more than 65536 bytes in a string");
  ExpectPickleRefused(std::string(100, '('), Code::kCorrupt, "more than 64 nested marks");
  ExpectPickleRefused("Nr" + Little(0xfffffff0, 4), Code::kCorrupt, "more than 1048576 places in the memo");
  ExpectPickleRefused(std::string(many + 1, 'N'), Code::kCorrupt, "more than 1048576 values on the stack");
  ExpectPickleRefused(std::string(many + 1, ']'), Code::kCorrupt, "more than 1048576 values are not allowed");
  // Tuples of ten thousand of the one before.
  std::string wide = "(" + std::string(10000, 'N') + "tq\x01";
  for (int i = 0; i < 500; ++i) {
    wide += "(";
    for (int j = 0; j < 10000; ++j) wide += "h\x01";
    wide += "tq\x01";
  }
  ExpectPickleRefused(wide, Code::kCorrupt, "more than 4194304 items");
  // The pairs of one list, copied again and again.
  std::string pairs = "](";
  for (int i = 0; i < 10000; ++i) pairs += "NN\x86";
  pairs += "e\x85q\x01";
  for (int i = 0; i < 1000; ++i) pairs += Global("collections", "OrderedDict") + "h\x01R";
  ExpectPickleRefused(pairs, Code::kCorrupt, "more than 4194304 items");
  std::string long_one;
  for (int i = 0; i < 300; ++i) long_one += "X" + Little(60000, 4) + std::string(60000, 'a');
  ExpectPickleRefused(long_one, Code::kCorrupt, "more than 16777216 bytes in the pickle");
  // Depth alone harms nobody.
  ExpectPickleRefused("N" + std::string(100000, '\x85'), Code::kUnsupported, "found a tuple");
}

TEST_F(TorchFileTest, RefusesOtherObjectsThanStateDicts) {
  const std::string view = View(Storage("FloatStorage", "0", 1), 0, {1}, {1});
  ExpectPickleRefused("]", Code::kUnsupported, "expected a state dict, that is a dict of tensors, found a list");
  ExpectPickleRefused(view, Code::kUnsupported, "found a tensor");
  ExpectPickleRefused(Dict({{"state_dict", Dict({{"a", view}})}}), Code::kUnsupported,
                      "tensor \"state_dict\": expected a tensor, found a dict: a checkpoint that wraps its state dict");
  ExpectPickleRefused(Dict({{"epoch", Int(3)}}), Code::kUnsupported,
                      "tensor \"epoch\": expected a tensor, found an int");
  ExpectPickleRefused(Dict({{"a", Storage("FloatStorage", "0", 1)}}), Code::kUnsupported, "found a storage");
  ExpectPickleRefused("}(" + Int(1) + view + "u", Code::kUnsupported, "expected names as keys");
  ExpectPickleRefused(Dict({{"", view}}), Code::kUnsupported, "printable ASCII");
  ExpectPickleRefused(Dict({{"a\nb", view}}), Code::kUnsupported, "tensor \"a?b\": expected a name of");
  ExpectPickleRefused(Dict({{std::string(600, 'a'), view}}), Code::kUnsupported, "expected a name of 1 to 512");
  ExpectPickleRefused(Dict({{"a", view}, {"b", view}, {"a", view}}), Code::kCorrupt,
                      "tensor \"a\": the name appears twice");
  std::string items;
  for (int i = 0; i < 16385; ++i) items += Text(std::to_string(i)) + "h\x01";
  ExpectPickleRefused("}" + Text("first") + view + "q\x01s(" + items + "u", Code::kCorrupt,
                      "16386 tensors, at most 16384 are allowed");
}

TEST_F(TorchFileTest, RefusesTensorsThatLeaveTheirStorage) {
  constexpr std::int64_t kHuge = INT64_MAX;
  const std::string storage = Storage("FloatStorage", "0", 12);
  auto refused = [&](const std::string& value, Code code, const std::string& part) {
    ExpectRefused(TorchArchive(Dict({{"a", value}}), {{"0", Bytes(Counting(12))}}), code, "tensor \"a\": " + part);
  };
  refused(View(storage, 1, {3, 4}, {4, 1}), Code::kCorrupt,
          "shape [3, 4] with strides [4, 1] at element 1 leaves its storage of 12 elements");
  refused(View(storage, 0, {3, 4}, {4, 2}), Code::kCorrupt, "shape [3, 4] with strides [4, 2]");
  refused(View(storage, 12, {1}, {1}), Code::kCorrupt, "shape [1]");
  refused(View(storage, kHuge, {2}, {kHuge}), Code::kCorrupt, "shape [2]");
  refused(View(storage, 0, {3, 3}, {kHuge, kHuge}), Code::kCorrupt, "shape [3, 3]");
  refused(View(storage, 0, {kHuge, 3}, {0, 0}), Code::kCorrupt, "shape [9223372036854775807, 3] overflows");
  refused(View(storage, 0, {kHuge}, {0}), Code::kCorrupt, "shape [9223372036854775807] overflows");
  refused(View(storage, -1, {1}, {1}), Code::kCorrupt, "expected an offset");
  refused(View(storage, 0, {-1}, {1}), Code::kCorrupt, "expected an offset");
  refused(View(storage, 0, {2}, {-1}), Code::kCorrupt, "expected an offset");
  refused(View(storage, 0, {2}, {1, 1}), Code::kCorrupt, "expected an offset");
  refused(View(storage, 0, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1}), Code::kCorrupt, "expected an");
  refused(View(Storage("FloatStorage", "0", 13), 0, {1}, {1}), Code::kCorrupt,
          "its storage \"0\" has 48 bytes, expected 52");
  refused(View(Storage("FloatStorage", "1", 12), 0, {1}, {1}), Code::kCorrupt, "its storage \"1\" is missing");
  refused(View(Storage("FloatStorage", "0", -1), 0, {1}, {1}), Code::kCorrupt, "a storage, expected its class");
  refused(View(Storage("FloatStorage", "0", kHuge), 0, {1}, {1}), Code::kCorrupt,
          "storage \"0\" has 9223372036854775807 elements, whose bytes overflow");
  refused(View(storage, 0, {2}, {1}, Dict({{"neg", "\x88"}})), Code::kUnsupported, "its metadata change its values");
}

TEST_F(TorchFileTest, RefusesMalformedRebuilds) {
  const std::string storage = Storage("FloatStorage", "0", 2);
  const std::string view = View(storage, 0, {2}, {1});
  auto refused = [&](const std::string& value, Code code, const std::string& part) {
    ExpectRefused(TorchArchive(Dict({{"a", value}}), {{"0", Bytes({3, 4})}}), code, part);
  };
  refused(Utils("_rebuild_tensor_v2") + ")R", Code::kCorrupt, "0 arguments of _rebuild_tensor_v2");
  refused(Utils("_rebuild_parameter") + Tuple({storage, "\x89", kHooks}) + "R", Code::kCorrupt,
          "a parameter of a storage");
  refused(View("N", 0, {2}, {1}), Code::kCorrupt, "a view of None");
  refused(View("NQ", 0, {2}, {1}), Code::kCorrupt, "a persistent identifier is no tuple");
  refused(View(Tuple({Text("module"), "N"}) + "Q", 0, {2}, {1}), Code::kUnsupported,
          "a persistent identifier other than that of a storage");
  refused(View(Tuple({Text("storage"), "N"}) + "Q", 0, {2}, {1}), Code::kCorrupt, "a storage of 2 fields");

  std::string nested = view;
  for (int i = 0; i < 10; ++i) nested = Utils("_rebuild_parameter") + Tuple({nested, "\x89", kHooks}) + "R";
  refused(nested, Code::kCorrupt, "more than 4 calls in one another");
  auto with_state = [&](const std::string& state) {
    return Utils("_rebuild_parameter_with_state") + Tuple({view, "\x89", kHooks, state}) + "R";
  };
  refused(with_state(Dict({{"data", view}})), Code::kUnsupported, "attribute data set on a tensor");
  refused(with_state(Tuple({"N", Dict({{"real", view}})})), Code::kUnsupported, "attribute real set on a tensor");
  refused(with_state("]"), Code::kCorrupt, "attributes in a list");
  const auto file = Open(TorchArchive(Dict({{"a", with_state(Dict({{"note", "N"}}))}}), {{"0", Bytes({3, 4})}}));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(ReadAll(**file, 0, 2), (Floats{3, 4}));
}

TEST_F(TorchFileTest, RefusesZipsThatContradictThemselvesOrAreNotStored) {
  const Zip good = TorchZip(Dict({{"a", View(Storage("FloatStorage", "0", 2), 0, {2}, {1})}}), {{"0", Bytes({3, 4})}});
  ASSERT_TRUE(Open(Write(good)).ok());
  auto refused = [&](auto change, Code code, const std::string& part) {
    Zip zip = good;
    change(zip);
    ExpectRefused(Write(zip), code, part);
  };
  refused([](Zip& zip) { zip.parts[1].method = 8; }, Code::kUnsupported,
          "zip entry \"any name/data/0\": expected a stored entry, found a deflated one");
  refused([](Zip& zip) { zip.parts[1].method = 12; }, Code::kUnsupported, "found compression method 12");
  refused([](Zip& zip) { zip.parts[0].flags = 1; }, Code::kUnsupported, "is encrypted");
  refused([](Zip& zip) { zip.parts[1].bytes = 1u << 30; }, Code::kCorrupt, "needs 1073741824 bytes at byte");
  refused(
      [](Zip& zip) {
        zip.parts[1].wide = true;
        zip.parts[1].bytes = ~std::uint64_t{0};
      },
      Code::kCorrupt, "needs 18446744073709551615 bytes at byte");
  refused([](Zip& zip) { zip.parts[0].bytes += 20; }, Code::kCorrupt, "overlap");
  refused([](Zip& zip) { zip.second_on_first = true; }, Code::kCorrupt, "is not that of this entry");
  refused([](Zip& zip) { zip.parts.push_back(zip.parts[1]); }, Code::kCorrupt,
          "zip entry \"any name/data/0\" appears twice");
  refused([](Zip& zip) { zip.parts[1].local_name = "any name/data/1"; }, Code::kCorrupt, "is not that of this entry");
  refused([](Zip& zip) { zip.entries = 1; }, Code::kCorrupt, "needs 46 bytes");
  refused([](Zip& zip) { zip.entries = 40000; }, Code::kCorrupt, "at most 32768");
  refused(
      [](Zip& zip) {
        zip.entries = std::uint64_t{1} << 40;
        zip.wide = true;
      },
      Code::kCorrupt, "at most 32768");
  refused([](Zip& zip) { zip.shift = 7; }, Code::kCorrupt, "the zip directory needs");
  refused(
      [](Zip& zip) {
        zip.wide = true;
        zip.shift = ~std::uint64_t{0} / 2;
      },
      Code::kCorrupt, "the zip directory");
  refused([](Zip& zip) { zip.parts[0].name = zip.parts[0].local_name = "data.pkl"; }, Code::kCorrupt,
          "not of torch.save");
  refused([](Zip& zip) { zip.parts[0].name = zip.parts[0].local_name = "a/other"; }, Code::kCorrupt,
          "not of torch.save");
  ExpectRefused(Write(good) + "x", Code::kCorrupt, "it is cut short, or bytes follow it");
  auto with = [&](const std::string& name, const std::string& data) {
    Zip zip = good;
    zip.parts.push_back({.name = "any name/" + name, .data = data});
    return Write(zip);
  };
  EXPECT_TRUE(Open(with("byteorder", "little")).ok());
  EXPECT_TRUE(Open(with("version", "3\n")).ok());
  ExpectRefused(with("byteorder", "big"), Code::kUnsupported, "expected byte order \"little\", found \"big\"");
  ExpectRefused(with("byteorder", ""), Code::kUnsupported, "found \"\"");
  ExpectRefused(with("version", "11\n"), Code::kUnsupported, "expected a torch archive of version 1 to 10");
  ExpectRefused(with("constants.pkl", ""), Code::kUnsupported, "TorchScript");
}

TEST_F(TorchFileTest, RefusesLegacyFilesThatContradictThemselves) {
  const std::string storage = Storage("FloatStorage", "key", 2, true);
  const std::string program = Dict({{"a", View(storage, 0, {2}, {1})}});
  const std::string object = kMagic + kVersion + kSystem + Pickled(program);
  const auto file = Open(Legacy(program, {{"key", Bytes({3, 4})}}));
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_EQ(ReadAll(**file, 0, 2), (Floats{3, 4}));

  ExpectRefused(Pickled("}"), Code::kCorrupt, "its magic number is missing");
  ExpectRefused(kMagic + Pickled("M\xea\x03"), Code::kUnsupported, "expected version 1001");
  ExpectRefused(kMagic + kVersion + Pickled("]"), Code::kCorrupt, "expected a dict about the system");
  ExpectRefused(kMagic + kVersion + Pickled("}" + Text("little_endian") + "\x89s"), Code::kUnsupported,
                "expected little-endian");
  ExpectRefused(object + Pickled("}"), Code::kCorrupt, "expected a list of the keys");
  ExpectRefused(object + Pickled("]"), Code::kCorrupt, "tensor \"a\": its storage \"key\" is missing");
  ExpectRefused(object + Pickled("]" + Text("other") + "a"), Code::kCorrupt, "storage \"other\" of no tensor");
  const std::string keys = Pickled("]" + Text("key") + "a");
  ExpectRefused(object + keys + "1234567", Code::kCorrupt, "storage \"key\" needs 8 bytes");
  ExpectRefused(object + keys + Little(3, 8) + Bytes({3, 4}), Code::kCorrupt, "storage \"key\" needs 3 elements");
  ExpectRefused(object + keys + Little(~std::uint64_t{0}, 8) + Bytes({3, 4}), Code::kCorrupt,
                "storage \"key\" needs 18446744073709551615 elements");
  ExpectRefused(object + keys + Little(1, 8) + Bytes({3, 4}), Code::kCorrupt, "has 4 bytes, expected 8");
  ExpectRefused(Legacy(program, {{"key", Bytes({3, 4})}, {"key", Bytes({3, 4})}}), Code::kCorrupt,
                "storage \"key\" appears twice");
  const std::string other = View(Storage("HalfStorage", "key", 2, true), 0, {2}, {1});
  ExpectRefused(Legacy(Dict({{"a", View(storage, 0, {2}, {1})}, {"b", other}}), {{"key", Bytes({3, 4})}}),
                Code::kUnsupported, "storage \"key\" of two element types");
  std::string view = storage;
  view.replace(view.size() - 3, 1, Tuple({Text("view"), Int(0), Int(2)}));
  ExpectRefused(Legacy(Dict({{"a", View(view, 0, {2}, {1})}}), {{"key", Bytes({3, 4})}}), Code::kUnsupported,
                "a storage that is a view");
}

TEST_F(TorchFileTest, RefusesWhatIsNoFileOfTorch) {
  ExpectRefused("", Code::kCorrupt, "expected a file of torch.save, found neither a zip archive nor a pickle");
  ExpectRefused("version https://git-lfs.github.com/spec/v1\n", Code::kCorrupt, "expected a file of torch.save");
  EXPECT_EQ(OpenTorchFile(folder_.File("missing.bin")).status().code(), Code::kNotFound);
}

TEST_F(TorchFileTest, RefusesFilesCutAtAnyLength) {
  for (const char* name : kFixtures) {
    const std::string whole = test::ReadFile(Fixture(name));
    ASSERT_FALSE(whole.empty());
    for (std::size_t length = 0; length < whole.size(); ++length) {
      const auto file = Open(whole.substr(0, length));
      ASSERT_FALSE(file.ok()) << name << " cut at " << length;
      EXPECT_EQ(file.status().code(), Code::kCorrupt) << file.status().message();
    }
  }
}

// Changes a few bytes, removes some, or copies a piece of the file to another place.
std::string Mutated(std::string bytes, std::mt19937& random) {
  auto below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
  for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::size_t at = below(bytes.size());
    switch (below(6)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
        break;
      case 1:
        bytes[at] = static_cast<char>(random());
        break;
      case 2:
        bytes[at] = "\x00\xff\x7f\x80(.tRQhq"[below(11)];
        break;
      case 3:
        for (std::size_t i = at; i < std::min(at + 4, bytes.size()); ++i) bytes[i] = '\xff';
        break;
      case 4:
        bytes.erase(at, 1 + below(8));
        break;
      default:
        bytes.insert(at, bytes.substr(below(bytes.size()), 1 + below(40)));
    }
    if (bytes.empty()) break;
  }
  return bytes;
}

class TorchFileMutations : public TorchFileTest {
 protected:
  // Of the fixtures `names`, in turn.
  void Run(const std::vector<std::string>& names) {
#if defined(__SANITIZE_ADDRESS__)
    constexpr int kMutations = 10000;
#else
    constexpr int kMutations = 1000;
#endif
    std::vector<std::string> seeds;
    for (const std::string& name : names) seeds.push_back(test::ReadFile(Fixture(name)));
    std::mt19937 random(1);
    int opened = 0;
    for (int i = 0; i < kMutations; ++i) {
      const auto file = Open(Mutated(seeds[static_cast<std::size_t>(i) % seeds.size()], random));
      if (file.ok()) {
        ++opened;
        Read(**file);
      } else {
        EXPECT_NE(file.status().message().find("model.bin"), std::string::npos);
        EXPECT_TRUE(file.status().code() == Code::kCorrupt || file.status().code() == Code::kUnsupported)
            << file.status().message();
      }
    }
    // Neither everything nor nothing comes through, or the mutations would test little.
    EXPECT_GT(opened, kMutations / 50);
    EXPECT_LT(opened, kMutations / 4 * 3);
  }

  static void Read(WeightFile& file) {
    for (std::size_t index = 0; index < file.tensors().size(); ++index) {
      std::uint64_t count = 1;
      for (std::uint64_t length : file.tensors()[index].shape) count *= length;
      Floats values(std::min<std::uint64_t>(count, 1000));
      const Status first = file.Read(index, 0, values);
      const Status last = file.Read(index, count - values.size(), values);
      EXPECT_TRUE(first.ok() || first.code() == Code::kUnsupported) << first.message();
      EXPECT_EQ(first.code(), last.code());
    }
  }
};

TEST_F(TorchFileMutations, OfZipsAreReadOrRefused) { Run({"zip_2", "zip_4", "zip_5"}); }

TEST_F(TorchFileMutations, OfLegacyFilesAreReadOrRefused) { Run({"legacy_2", "legacy_4"}); }

}  // namespace
}  // namespace thimble::convert
