// Compiles the precompiled_charsmap of a SentencePiece model.

#ifndef THIMBLE_CONVERT_TOKENIZER_CHARSMAP_H_
#define THIMBLE_CONVERT_TOKENIZER_CHARSMAP_H_

#include <string_view>

#include "convert/table_store.h"
#include "text/charsmap.h"
#include "thimble/status.h"

namespace thimble::convert {

// `charsmap` is decoded from base64. kCorrupt when it does not hold together, kUnsupported when it is too large; the
// message does not say where it is from.
Result<text::CharsmapTables> CompileCharsmap(std::string_view charsmap, TableStore& store);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_CHARSMAP_H_
