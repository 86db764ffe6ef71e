// Content-defined chunks of a document: where they begin and end depends on the text near by alone, so that an edit
// changes the chunks around it and no others.
//
// A chunk ends at a heading, or at the best place within `radius` bytes before and behind: the end of a paragraph, else
// of a sentence, else of a line, else of a word; between equals a hash of the 32 bytes on either side decides. Chunks
// of a section are therefore at least `radius` bytes long, and about twice that. One with more tokens than allowed is
// divided at the best place of its middle half.

#ifndef THIMBLE_SYNC_CHUNKS_H_
#define THIMBLE_SYNC_CHUNKS_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "sync/headings.h"
#include "thimble/status.h"

namespace thimble::sync {

struct Chunk {
  std::size_t begin = 0, end = 0;  // Bytes of the document, without white space on either side.
  std::size_t first_line = 1, last_line = 1;
  // Titles from the outermost section to that of the chunk; a line each.
  std::string heading;
};

struct ChunkLimits {
  std::size_t max_tokens = 256;  // As count_tokens counts.
  std::size_t radius = 256;      // Bytes.
  // The tokens of a text as it will be embedded.
  std::function<Result<std::size_t>(std::string_view)> count_tokens;
};

// Calls take() for each chunk in their order: disjoint, of all of `document` (UTF-8) but white space between them. A
// single character may have more tokens than the limit. Memory does not grow with the document. The errors of
// count_tokens and take.
Status CutChunks(std::string_view document, Format format, const ChunkLimits& limits,
                 const std::function<Status(Chunk)>& take);

}  // namespace thimble::sync

#endif  // THIMBLE_SYNC_CHUNKS_H_
