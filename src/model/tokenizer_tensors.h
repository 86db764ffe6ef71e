// The compiled tokenizer as tensors and metadata of a model file; the other direction is in convert/.

#ifndef THIMBLE_MODEL_TOKENIZER_TENSORS_H_
#define THIMBLE_MODEL_TOKENIZER_TENSORS_H_

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "format/reader.h"
#include "text/kinds.h"
#include "text/tokenizer.h"
#include "thimble/status.h"

namespace thimble::model {

// Where a file names the kind; a file without it has kUnnamedKind.
inline constexpr std::string_view kTokenizerKind = "tokenizer.kind";

// Fills the tables of an empty kind with views of the file. kCorrupt when one is missing or does not hold together.
inline Result<text::Tokenizer> LoadTokenizer(const format::Reader& reader, std::shared_ptr<text::Kind> kind,
                                             std::size_t vocabulary) {
  for (const text::Field& field : kind->ListFields()) {
    const std::string name = "tokenizer." + std::string(field.name);
    Status status;
    const auto take = [&status](const auto& found, auto& value) {
      status = found.status();
      if (found.ok()) value = static_cast<std::remove_reference_t<decltype(value)>>(*found);
    };
    text::VisitField(
        field,
        [&](std::uint32_t& number) {
          if (field.optional && !reader.Metadata(name)) return;
          take(reader.Integer(name, 0, std::numeric_limits<std::uint32_t>::max()), number);
        },
        [&](auto& array) {
          if (field.optional && !reader.Contains(name)) return;
          take(reader.Vector<typename std::remove_reference_t<decltype(array)>::value_type>(name), array);
        });
    if (!status.ok()) return status;
  }
  Result<text::Tokenizer> tokenizer = text::Tokenizer::Create(std::move(kind), vocabulary);
  if (tokenizer.ok()) return tokenizer;
  return Status(tokenizer.status().code(), reader.path() + ": " + tokenizer.status().message());
}

// The tokenizer of the kind that the file names; kUnsupported for one that this build does not know.
inline Result<text::Tokenizer> LoadTokenizer(const format::Reader& reader, std::size_t vocabulary) {
  std::string_view name = text::kUnnamedKind;
  if (reader.Metadata(kTokenizerKind)) {
    THIMBLE_ASSIGN_OR_RETURN(name, reader.Text(kTokenizerKind));
  }
  std::shared_ptr<text::Kind> kind = text::MakeKind(name);
  if (kind != nullptr) return LoadTokenizer(reader, std::move(kind), vocabulary);
  return Error(Code::kUnsupported, reader.path(), ": metadata \"", kTokenizerKind,
               "\": this build does not know the tokenizer \"", name, "\"");
}

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_TOKENIZER_TENSORS_H_
