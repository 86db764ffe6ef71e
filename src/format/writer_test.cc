// Tests of writing model files, and of reading back what was written.

#include "format/writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "format/reader.h"
#include "tests/support/test_model.h"

namespace thimble::format {
namespace {

using test::TemporaryFolder;

TensorInfo Tensor(const std::string& name, ElementType type, std::vector<std::uint64_t> shape) {
  TensorInfo tensor;
  tensor.name = name;
  tensor.type = type;
  tensor.shape = std::move(shape);
  return tensor;
}

std::vector<std::byte> Count(std::size_t size, std::uint8_t from) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(from + i * 7 % 251);
  return bytes;
}

std::size_t FilesIn(const std::string& folder) {
  std::filesystem::directory_iterator files(folder);
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

TEST(Writer, WhatIsWrittenIsReadBack) {
  TemporaryFolder folder;
  const std::string path = folder.File("model");
  Layout layout;
  // Escapes and UTF-8 in texts, and a tensor larger than any buffer.
  layout.metadata = {{"name", "quote \" backslash \\ newline \n e-acute \xc3\xa9"}, {"layers", "12"}, {"eps", "1e-12"}};
  layout.tensors = {Tensor("z", ElementType::kI32, {4, 8}), Tensor("a", ElementType::kU8, {5 << 20, 1}),
                    Tensor("h", ElementType::kF16, {32})};
  const std::vector<std::byte> z = Count(128, 1), a = Count(5 << 20, 2), h = Count(64, 3);
  auto writer = Writer::Create(path, layout);
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  ASSERT_TRUE(writer->Append("z", z).ok());
  for (std::size_t done = 0, piece = 1; done < a.size(); done += piece, piece = std::min(3 * piece, a.size() - done)) {
    ASSERT_TRUE(writer->Append("a", std::span(a).subspan(done, piece)).ok());
  }
  ASSERT_TRUE(writer->Append("h", h).ok());
  EXPECT_FALSE(std::filesystem::exists(path)) << "takes its name before it is complete";
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(FilesIn(folder.path()), 1u);

  auto reader = Reader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  EXPECT_EQ(reader->Metadata("name"), layout.metadata[0].second);
  EXPECT_EQ(reader->Metadata(kVersionKey), kVersion);
  EXPECT_EQ(*reader->Integer("layers", 12, 12), 12u);
  EXPECT_EQ(*reader->Number("eps"), 1e-12);
  EXPECT_EQ(reader->header().data_begin % kAlignment, 0u);
  std::vector<std::string> order;
  for (const TensorInfo& tensor : reader->header().tensors) order.push_back(tensor.name);
  EXPECT_EQ(order, (std::vector<std::string>{"z", "a", "h"}));
  auto z_read = reader->Tensor<std::int32_t>("z", {4, 8});
  auto a_read = reader->Tensor<std::uint8_t>("a", {5 << 20, 1});
  auto h_read = reader->Vector<Half>("h");
  ASSERT_TRUE(z_read.ok() && a_read.ok() && h_read.ok());
  EXPECT_TRUE(std::ranges::equal(std::as_bytes(*z_read), z));
  EXPECT_TRUE(std::ranges::equal(std::as_bytes(*a_read), a));
  EXPECT_TRUE(std::ranges::equal(std::as_bytes(*h_read), h));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(h_read->data()) % kAlignment, 0u);
}

TEST(Writer, EveryLengthOfHeaderLeavesTheDataAligned) {
  TemporaryFolder folder;
  for (std::size_t size = 0; size < 70; ++size) {
    Layout layout;
    layout.metadata = {{"name", std::string(size, 'x')}};
    layout.tensors = {Tensor("t", ElementType::kF32, {16})};
    auto writer = Writer::Create(folder.File("model"), layout);
    ASSERT_TRUE(writer.ok() && writer->Append("t", Count(64, 0)).ok() && writer->Finish().ok());
    auto reader = Reader::Open(folder.File("model"));
    ASSERT_TRUE(reader.ok()) << reader.status().message();
  }
}

TEST(Writer, RefusesTensorsOfPartOfACacheLine) {
  TemporaryFolder folder;
  Layout layout;
  layout.tensors = {Tensor("t", ElementType::kF32, {15})};
  auto writer = Writer::Create(folder.File("model"), layout);
  ASSERT_FALSE(writer.ok());
  EXPECT_EQ(writer.status().code(), Code::kInvalidArgument);
  EXPECT_EQ(FilesIn(folder.path()), 0u);
}

TEST(Writer, RefusesWhatTheLayoutDoesNotSayAndLeavesNothingBehind) {
  TemporaryFolder folder;
  Layout layout;
  layout.tensors = {Tensor("first", ElementType::kU8, {64}), Tensor("second", ElementType::kU8, {64})};
  {
    auto writer = Writer::Create(folder.File("model"), layout);
    ASSERT_TRUE(writer.ok());
    EXPECT_EQ(writer->Append("second", Count(64, 0)).code(), Code::kInvalidArgument);
    EXPECT_EQ(writer->Append("first", Count(65, 0)).code(), Code::kInvalidArgument);
    EXPECT_TRUE(writer->Append("first", Count(63, 0)).ok());
    EXPECT_EQ(writer->Append("first", Count(2, 0)).code(), Code::kInvalidArgument);
    EXPECT_EQ(writer->Append("second", Count(64, 0)).code(), Code::kInvalidArgument);
    EXPECT_TRUE(writer->Append("first", Count(1, 0)).ok());
    EXPECT_EQ(writer->Finish().code(), Code::kInvalidArgument);
  }
  EXPECT_EQ(FilesIn(folder.path()), 0u);
}

TEST(Writer, ReplacesBytesAndAddsMetadataWhileTheHeaderHasRoom) {
  TemporaryFolder folder;
  Layout layout;
  layout.metadata = {{"name", "early"}};
  layout.tensors = {Tensor("first", ElementType::kU8, {64}), Tensor("second", ElementType::kU8, {64})};
  layout.reserve = 100;
  auto writer = Writer::Create(folder.File("model"), layout);
  ASSERT_TRUE(writer.ok() && writer->Append("first", Count(64, 0)).ok());
  EXPECT_EQ(writer->Overwrite("second", Count(64, 1)).code(), Code::kInvalidArgument);
  EXPECT_EQ(writer->Overwrite("first", Count(65, 1)).code(), Code::kInvalidArgument);
  ASSERT_TRUE(writer->Append("second", Count(64, 0)).ok());
  EXPECT_TRUE(writer->Overwrite("first", Count(32, 100)).ok());
  EXPECT_TRUE(writer->SetMetadata("late", "yes").ok());
  auto written = writer->Flush();
  ASSERT_TRUE(written.ok());
  for (bool finished : {false, true}) {
    if (finished) {
      ASSERT_TRUE(writer->Finish().ok());
    }
    auto reader = finished ? Reader::Open(folder.File("model")) : Reader::Open(*std::move(written));
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    EXPECT_EQ(*reader->Text("name"), "early");
    EXPECT_EQ(*reader->Text("late"), "yes");
    auto first = reader->Vector<std::uint8_t>("first"), second = reader->Vector<std::uint8_t>("second");
    ASSERT_TRUE(first.ok() && second.ok());
    std::vector<std::byte> expected = Count(64, 0);
    EXPECT_TRUE(std::equal(second->begin(), second->end(), reinterpret_cast<const std::uint8_t*>(expected.data())));
    const std::vector<std::byte> replaced = Count(32, 100);
    std::copy(replaced.begin(), replaced.end(), expected.begin());
    EXPECT_TRUE(std::equal(first->begin(), first->end(), reinterpret_cast<const std::uint8_t*>(expected.data())));
  }
  auto full = Writer::Create(folder.File("model"), layout);
  ASSERT_TRUE(full.ok() && full->Append("first", Count(64, 0)).ok());
  EXPECT_EQ(full->SetMetadata("long", std::string(200, 'x')).code(), Code::kInvalidArgument);
}

TEST(Reader, SaysWhatItExpectedOfTypesAndShapes) {
  TemporaryFolder folder;
  Layout layout;
  layout.tensors = {Tensor("t", ElementType::kF32, {4, 4})};
  auto writer = Writer::Create(folder.File("model"), layout);
  ASSERT_TRUE(writer.ok() && writer->Append("t", Count(64, 0)).ok() && writer->Finish().ok());
  auto reader = Reader::Open(folder.File("model"));
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(reader->Contains("t"));
  EXPECT_FALSE(reader->Contains("u"));
  EXPECT_EQ(reader->Tensor<float>("t", {4, 4})->size(), 16u);
  const std::string path = reader->path() + ": ";
  EXPECT_EQ(reader->Tensor<float>("u", {4, 4}).status().message(), path + "tensor \"u\" is missing");
  EXPECT_EQ(reader->Tensor<std::int32_t>("t", {4, 4}).status().message(),
            path + "tensor \"t\": expected I32, found F32");
  EXPECT_EQ(reader->Tensor<float>("t", {16}).status().message(),
            path + "tensor \"t\": expected shape [16], found [4, 4]");
  EXPECT_EQ(reader->Vector<float>("t").status().message(), path + "tensor \"t\": expected one dimension, found [4, 4]");
  EXPECT_EQ(reader->Text("k").status().message(), path + "metadata \"k\" is missing");
}

}  // namespace
}  // namespace thimble::format
