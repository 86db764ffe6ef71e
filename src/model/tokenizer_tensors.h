// The compiled tokenizer as tensors and metadata of a model file; the other direction is in convert/.

#ifndef THIMBLE_MODEL_TOKENIZER_TENSORS_H_
#define THIMBLE_MODEL_TOKENIZER_TENSORS_H_

#include <cstddef>
#include <limits>
#include <string>
#include <type_traits>

#include "format/reader.h"
#include "text/tables.h"
#include "text/tokenizer.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

// kCorrupt when a table is missing or does not hold together.
inline Result<text::Tokenizer> LoadTokenizer(const format::Reader& reader, std::size_t vocabulary) {
  text::Tables tables;
  Status status;
  text::ForEachArray(tables, [&](const char* name, auto& array) {
    using Element = std::remove_const_t<typename std::remove_reference_t<decltype(array)>::element_type>;
    if (!status.ok()) return;
    auto values = reader.Vector<Element>(std::string("tokenizer.") + name);
    status = values.status();
    if (values.ok()) array = *values;
  });
  text::ForEachScalar(tables, [&](const char* name, std::uint32_t& number) {
    if (!status.ok()) return;
    auto value = reader.Integer(std::string("tokenizer.") + name, 0, std::numeric_limits<std::uint32_t>::max());
    status = value.status();
    if (value.ok()) number = static_cast<std::uint32_t>(*value);
  });
  text::ForEachOptionalArray(tables, [&](const char* name, auto& array) {
    using Element = std::remove_const_t<typename std::remove_reference_t<decltype(array)>::element_type>;
    const std::string tensor = std::string("tokenizer.") + name;
    if (!status.ok() || !reader.Contains(tensor)) return;
    auto values = reader.Vector<Element>(tensor);
    status = values.status();
    if (values.ok()) array = *values;
  });
  text::ForEachOptionalScalar(tables, [&](const char* name, std::uint32_t& number) {
    const std::string key = std::string("tokenizer.") + name;
    if (!status.ok() || !reader.Metadata(key)) return;
    auto value = reader.Integer(key, 0, std::numeric_limits<std::uint32_t>::max());
    status = value.status();
    if (value.ok()) number = static_cast<std::uint32_t>(*value);
  });
  if (!status.ok()) return status;
  Result<text::Tokenizer> tokenizer = text::Tokenizer::Create(tables, vocabulary);
  if (tokenizer.ok()) return tokenizer;
  return Status(tokenizer.status().code(), reader.path() + ": " + tokenizer.status().message());
}

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_MODEL_TOKENIZER_TENSORS_H_
