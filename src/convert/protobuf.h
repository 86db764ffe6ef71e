// The wire format of protocol buffers: fields of a message, none of them interpreted.

#ifndef THIMBLE_CONVERT_PROTOBUF_H_
#define THIMBLE_CONVERT_PROTOBUF_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace thimble::convert {

struct ProtobufField {
  std::uint64_t number = 0;
  std::uint64_t value = 0;           // Of a varint.
  float number32 = 0;                // Of 4 bytes.
  std::span<const std::byte> bytes;  // Of a length and bytes.
  enum Kind { kVarint, kBytes, kFixed } kind = kVarint;

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

// The fields of one message, which has to stay where it is.
class ProtobufMessage {
 public:
  explicit ProtobufMessage(std::span<const std::byte> bytes) : rest_(bytes) {}

  // False at the end, and when the bytes are no message: then ok() is false too.
  bool Next(ProtobufField* field) {
    std::uint64_t key = 0, length = 0;
    if (rest_.empty() || !Varint(&key)) return false;
    *field = {};
    field->number = key >> 3;
    switch (key & 7) {
      case 0:
        return Varint(&field->value);
      case 1:
        field->kind = ProtobufField::kFixed;
        return Take(8, &field->bytes) && (field->bytes = {}, true);
      case 2:
        field->kind = ProtobufField::kBytes;
        return Varint(&length) && Take(length, &field->bytes);
      case 5:
        field->kind = ProtobufField::kFixed;
        if (!Take(4, &field->bytes)) return false;
        std::memcpy(&field->number32, field->bytes.data(), 4);
        field->bytes = {};
        return true;
      default:
        return ok_ = false;
    }
  }
  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }

  // The next varint of a packed field.
  bool Varint(std::uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint64_t>(rest_[0]);
      rest_ = rest_.subspan(1);
      *value |= (byte & 127) << shift;
      if (byte < 128) return true;
    }
    return ok_ = false;
  }

 private:
  bool Take(std::uint64_t count, std::span<const std::byte>* bytes) {
    if (count > rest_.size()) return ok_ = false;
    *bytes = rest_.first(count);
    rest_ = rest_.subspan(count);
    return true;
  }

  std::span<const std::byte> rest_;
  bool ok_ = true;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_PROTOBUF_H_
