// What a tokenizer needs of a SentencePiece model file.

#ifndef THIMBLE_CONVERT_SENTENCEPIECE_FILE_H_
#define THIMBLE_CONVERT_SENTENCEPIECE_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/status.h"

namespace thimble::convert {

struct SentencePiece {
  // As numbered in sentencepiece_model.proto.
  enum class Type : std::uint8_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

  std::string text;
  float score = 0;
  Type type = Type::kNormal;
};

struct SentencePieceFile {
  std::vector<SentencePiece> pieces;
  bool unigram = true;        // Whether it was trained as one.
  std::string_view charsmap;  // Of the normaliser; a view of the bytes.
};

// kCorrupt where `bytes` are not such a model; `path` is for messages.
Result<SentencePieceFile> ReadSentencePiece(std::string_view bytes, const std::string& path);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_SENTENCEPIECE_FILE_H_
