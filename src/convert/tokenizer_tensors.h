// The compiled tokenizer as tensors and metadata of a model file; model/tokenizer_tensors.h is the other direction.

#ifndef THIMBLE_CONVERT_TOKENIZER_TENSORS_H_
#define THIMBLE_CONVERT_TOKENIZER_TENSORS_H_

#include <string>
#include <utility>

#include "format/reader.h"
#include "format/writer.h"
#include "model/tokenizer_tensors.h"
#include "text/kinds.h"
#include "thimble/status.h"

namespace thimble::convert {

inline void DeclareTokenizer(text::Kind& kind, format::Layout* layout) {
  if (kind.name() != text::kUnnamedKind) layout->metadata.emplace_back(model::kTokenizerKind, kind.name());
  for (const text::Field& field : kind.ListFields()) {
    format::TensorInfo tensor = {.name = "tokenizer." + std::string(field.name), .shape = {}};
    text::VisitField(
        field,
        [&](std::uint32_t number) {
          if (!field.optional || number != 0) layout->metadata.emplace_back(tensor.name, std::to_string(number));
        },
        [&]<typename T>(text::TableSpan<T> array) {
          tensor.type = format::kElementOf<T>;
          if (!field.optional || !array.empty()) tensor.shape.push_back(array.size());
        });
    if (!tensor.shape.empty()) layout->tensors.push_back(std::move(tensor));
  }
}

// Writes the declared tensors.
inline Status WriteTokenizer(text::Kind& kind, format::Writer* writer) {
  Status status;
  for (const text::Field& field : kind.ListFields()) {
    text::VisitField(
        field, [](std::uint32_t) {},
        [&](auto array) {
          if (!status.ok() || (field.optional && array.empty())) return;
          status = writer->Append("tokenizer." + std::string(field.name), std::as_bytes(array));
        });
  }
  return status;
}

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_TENSORS_H_
