// Reads the messages of sentencepiece_model.proto.

#include "convert/sentencepiece_file.h"

#include <cmath>

#include "base/error.h"
#include "convert/tokenizer_kind.h"
#include "text/utf8.h"

#define PROTOZERO_USE_VIEW std::string_view
#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>

namespace thimble::convert {
namespace {

using Message = protozero::pbf_reader;
using protozero::pbf_wire_type;

constexpr std::uint32_t BytesField(protozero::pbf_tag_type tag) {
  return protozero::tag_and_type(tag, pbf_wire_type::length_delimited);
}
constexpr std::uint32_t IntegerField(protozero::pbf_tag_type tag) {
  return protozero::tag_and_type(tag, pbf_wire_type::varint);
}

bool IsTextOfPiece(std::string_view text) {
  const auto* next = reinterpret_cast<const std::uint8_t*>(text.data());
  for (const std::uint8_t* end = next + text.size(); next != end;) {
    const std::uint8_t* begin = next;
    // U+FFFD itself is three bytes.
    if (text::DecodeUtf8(next, end) == text::kReplacementCharacter && (next - begin != 3 || *begin != 0xEF))
      return false;
  }
  return true;
}

// What is wrong with a piece, or null.
const char* ReadPiece(Message message, SentencePiece& piece) {
  while (message.next()) {
    switch (message.tag_and_type()) {
      case BytesField(1):
        piece.text = message.get_view();
        break;
      case protozero::tag_and_type(2, pbf_wire_type::fixed32):
        piece.score = message.get_float();
        break;
      case IntegerField(3): {
        const std::int32_t type = message.get_enum();
        if (type < 1 || type > 6) return "has an unknown type";
        piece.type = static_cast<SentencePiece::Type>(type);
        break;
      }
      default:
        message.skip();
    }
  }
  if (!std::isfinite(piece.score)) return "has a score that is not finite";
  if (piece.text.size() > text::kMaxPieceBytes) return "is too long";
  return IsTextOfPiece(piece.text) ? nullptr : "is not UTF-8";
}

}  // namespace

Result<SentencePieceFile> ReadSentencePiece(std::string_view bytes, const std::string& path) {
  SentencePieceFile file;
  try {
    Message message(bytes);
    while (message.next()) {
      switch (message.tag_and_type()) {
        case BytesField(1): {
          if (file.pieces.size() > kMaxId) return Error(Code::kUnsupported, path, ": more than ", kMaxId, " pieces");
          const char* wrong = ReadPiece(message.get_message(), file.pieces.emplace_back());
          if (wrong != nullptr) return Error(Code::kCorrupt, path, ": piece ", file.pieces.size() - 1, " ", wrong);
          break;
        }
        case BytesField(2):
          for (Message trainer = message.get_message(); trainer.next();) {
            if (trainer.tag_and_type() == IntegerField(3)) {
              file.unigram = trainer.get_enum() == 1;
            } else {
              trainer.skip();
            }
          }
          break;
        case BytesField(3):
          for (Message normalizer = message.get_message(); normalizer.next();) {
            if (normalizer.tag_and_type() == BytesField(2)) {
              file.charsmap = normalizer.get_view();
            } else {
              normalizer.skip();
            }
          }
          break;
        default:
          message.skip();
      }
    }
  } catch (const protozero::exception&) {
    return Error(Code::kCorrupt, path, ": is not a SentencePiece model, or is damaged");
  }
  if (file.pieces.empty()) return Error(Code::kCorrupt, path, ": is a SentencePiece model without pieces");
  return file;
}

}  // namespace thimble::convert
