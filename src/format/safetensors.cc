// Parsing safetensors headers in one pass over the JSON: nothing is built that the checks do not need.

#include "format/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "json/events.h"

namespace thimble::format {
namespace {

struct Element {
  ElementType type;
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array kElements = {
    Element{ElementType::kF64, "F64", 8},   Element{ElementType::kF32, "F32", 4}, Element{ElementType::kF16, "F16", 2},
    Element{ElementType::kBF16, "BF16", 2}, Element{ElementType::kI64, "I64", 8}, Element{ElementType::kI32, "I32", 4},
    Element{ElementType::kI16, "I16", 2},   Element{ElementType::kI8, "I8", 1},   Element{ElementType::kU64, "U64", 8},
    Element{ElementType::kU32, "U32", 4},   Element{ElementType::kU16, "U16", 2}, Element{ElementType::kU8, "U8", 1},
    Element{ElementType::kBool, "BOOL", 1}};

// Builds a Header from the parser's events. The places in the JSON where a value may stand:
//   {                                kTop: names of tensors, or __metadata__
//     "__metadata__": { k: "v" },    kMetadata
//     "name": {                      kTensor
//       "dtype": "F32",
//       "shape": [1, 2],             kShape
//       "data_offsets": [0, 8]       kOffsets
class HeaderEvents : public json::Events {
 public:
  HeaderEvents(Header* header, std::string_view path) : header_(header), path_(path) {}

  const Status& status() const { return status_; }

  bool Scalar(json::Value value) override {
    if (value.is_unsigned() && place_ == Place::kShape) {
      if (Tensor().shape.size() == kMaxRank) return Fail("more than ", kMaxRank, " dimensions");
      Tensor().shape.push_back(value.integer());
      return true;
    }
    if (value.is_unsigned() && place_ == Place::kOffsets && num_offsets_ < 2) {
      (num_offsets_++ == 0 ? Tensor().begin : Tensor().end) = value.integer();
      return true;
    }
    if (value.is_string() && place_ == Place::kMetadata) {
      header_->metadata.emplace_back(key_, std::move(value.string()));
      return true;
    }
    if (value.is_string() && place_ == Place::kTensor && key_ == "dtype") {
      const auto element =
          std::find_if(kElements.begin(), kElements.end(), [&](const Element& e) { return value.Is(e.name); });
      if (element == kElements.end()) return Fail("unknown dtype \"", value.string(), "\"");
      Tensor().type = element->type;
      return true;
    }
    if (value.is_unsigned() || !value.is_number()) return Unexpected(value.Kind());
    return Unexpected(value.number() < 0 ? "a negative number" : "a fraction");
  }

  bool BeginObject() override {
    switch (place_) {
      case Place::kNothing:
        place_ = Place::kTop;
        return true;
      case Place::kTop:
        if (key_ == "__metadata__") {
          if (seen_metadata_) return Fail("__metadata__ appears twice");
          seen_metadata_ = true;
          place_ = Place::kMetadata;
          return true;
        }
        if (header_->tensors.size() == kMaxTensors) return Fail("more than ", kMaxTensors, " tensors");
        header_->tensors.emplace_back().name = key_;
        seen_.fill(false);
        num_offsets_ = 0;
        place_ = Place::kTensor;
        return true;
      default:
        return Unexpected("an object");
    }
  }

  bool Key(std::string key) override {
    key_ = std::move(key);
    if (place_ == Place::kMetadata && header_->metadata.size() == kMaxMetadata) {
      return Fail("more than ", kMaxMetadata, " metadata entries");
    }
    if (place_ != Place::kTensor) return true;
    for (std::size_t i = 0; i < kKeys.size(); ++i) {
      if (key_ != kKeys[i]) continue;
      if (seen_[i]) return Fail("\"", key_, "\" appears twice");
      return seen_[i] = true;
    }
    return Fail("unknown key \"", key_, "\"");
  }

  bool EndObject() override {
    if (place_ == Place::kTensor) {
      for (std::size_t i = 0; i < kKeys.size(); ++i) {
        if (!seen_[i]) return Fail("\"", kKeys[i], "\" is missing");
      }
      if (num_offsets_ != 2) return Fail("data_offsets: expected 2 numbers, found ", num_offsets_);
    }
    place_ = place_ == Place::kTop ? Place::kNothing : Place::kTop;
    return true;
  }

  bool BeginArray() override {
    if (place_ == Place::kTensor && key_ == kKeys[1]) {
      place_ = Place::kShape;
    } else if (place_ == Place::kTensor && key_ == kKeys[2]) {
      place_ = Place::kOffsets;
    } else {
      return Unexpected("an array");
    }
    return true;
  }

  bool EndArray() override {
    place_ = Place::kTensor;
    return true;
  }

 private:
  enum class Place { kNothing, kTop, kMetadata, kTensor, kShape, kOffsets };
  static constexpr std::array<std::string_view, 3> kKeys = {"dtype", "shape", "data_offsets"};

  TensorInfo& Tensor() { return header_->tensors.back(); }

  template <typename... Parts>
  bool Fail(const Parts&... parts) {
    bool in_tensor = place_ == Place::kTensor || place_ == Place::kShape || place_ == Place::kOffsets;
    if (in_tensor) {
      status_ = Error(Code::kCorrupt, path_, ": tensor \"", Tensor().name, "\": ", parts...);
    } else {
      status_ = Error(Code::kCorrupt, path_, ": header: ", parts...);
    }
    return false;
  }
  bool Unexpected(std::string_view what) { return Fail("\"", key_, "\": did not expect ", what); }

  Header* header_;
  std::string_view path_;
  Status status_;
  Place place_ = Place::kNothing;
  std::string key_;
  bool seen_metadata_ = false;
  std::array<bool, 3> seen_ = {};
  std::size_t num_offsets_ = 0;
};

template <typename T, typename Name>
const T* FindDuplicate(const std::vector<T>& items, Name name) {
  std::vector<const T*> sorted;
  for (const T& item : items) sorted.push_back(&item);
  std::sort(sorted.begin(), sorted.end(), [&](const T* a, const T* b) { return name(*a) < name(*b); });
  auto same =
      std::adjacent_find(sorted.begin(), sorted.end(), [&](const T* a, const T* b) { return name(*a) == name(*b); });
  return same == sorted.end() ? nullptr : *same;
}

// Shapes against offsets, and offsets against each other and the file.
Status CheckTensors(Header& header, std::uint64_t data_bytes, std::string_view path) {
  for (const TensorInfo& tensor : header.tensors) {
    auto elements = base::CheckedProduct(tensor.shape);
    auto bytes = elements ? base::CheckedMul(*elements, ElementBytes(tensor.type)) : std::nullopt;
    if (!bytes) return Error(Code::kCorrupt, path, ": tensor \"", tensor.name, "\": its shape overflows");
    if (tensor.begin > tensor.end || tensor.end - tensor.begin != *bytes) {
      return Error(Code::kCorrupt, path, ": tensor \"", tensor.name, "\": its shape needs ", *bytes,
                   " bytes, its offsets are ", tensor.begin, " to ", tensor.end);
    }
    if (tensor.end > data_bytes) {
      return Error(Code::kCorrupt, path, ": tensor \"", tensor.name, "\": ends at byte ", tensor.end,
                   " of the data, the file has ", data_bytes);
    }
  }
  std::stable_sort(header.tensors.begin(), header.tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t end = 0;
  for (const TensorInfo& tensor : header.tensors) {
    if (tensor.begin != end) {
      return Error(Code::kCorrupt, path, ": tensor \"", tensor.name, "\": begins at byte ", tensor.begin,
                   " of the data, the one before ends at ", end);
    }
    end = tensor.end;
  }
  if (end != data_bytes) {
    return Error(Code::kCorrupt, path, ": the tensors end at byte ", end, " of the data, the file has ", data_bytes);
  }
  return Status();
}

}  // namespace

std::string_view ElementName(ElementType type) { return kElements[static_cast<std::size_t>(type)].name; }
std::size_t ElementBytes(ElementType type) { return kElements[static_cast<std::size_t>(type)].bytes; }

std::string ShapeText(std::span<const std::uint64_t> shape) {
  std::string text = "[";
  for (std::uint64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

Result<std::uint64_t> HeaderBytes(std::span<const std::byte> first_bytes, std::uint64_t file_bytes,
                                  std::string_view path) {
  if (first_bytes.size() < 8 || file_bytes < 8) {
    return Error(Code::kCorrupt, path, ": expected at least 8 bytes, found ", file_bytes);
  }
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | static_cast<std::uint64_t>(first_bytes[i]);
  if (length > kMaxHeaderBytes) {
    return Error(Code::kCorrupt, path, ": a header of ", length, " bytes, at most ", kMaxHeaderBytes, " are allowed");
  }
  if (length > file_bytes - 8) {
    return Error(Code::kCorrupt, path, ": a header of ", length, " bytes, the file has ", file_bytes);
  }
  return length;
}

Result<Header> ParseHeader(std::string_view json, std::uint64_t file_bytes, std::string_view path) {
  Header header;
  header.data_begin = 8 + json.size();
  HeaderEvents events(&header, path);
  const std::optional<std::size_t> bad_byte = json::Read(json, events);
  if (bad_byte) return Error(Code::kCorrupt, path, ": the header is not JSON at byte ", *bad_byte);
  THIMBLE_RETURN_IF_ERROR(events.status());
  auto name = [](const TensorInfo& tensor) -> const std::string& { return tensor.name; };
  if (const TensorInfo* twice = FindDuplicate(header.tensors, name)) {
    return Error(Code::kCorrupt, path, ": tensor \"", twice->name, "\" appears twice");
  }
  auto key = [](const auto& entry) -> const std::string& { return entry.first; };
  if (const auto* twice = FindDuplicate(header.metadata, key)) {
    return Error(Code::kCorrupt, path, ": metadata \"", twice->first, "\" appears twice");
  }
  THIMBLE_RETURN_IF_ERROR(CheckTensors(header, file_bytes - header.data_begin, path));
  return header;
}

}  // namespace thimble::format
