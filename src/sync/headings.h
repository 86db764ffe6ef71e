// Where the sections of a document begin.

#ifndef THIMBLE_SYNC_HEADINGS_H_
#define THIMBLE_SYNC_HEADINGS_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "thimble/status.h"

namespace thimble::sync {

enum class Format { kPlain, kMarkdown, kRst };

// .txt and .text are kPlain, .md and .markdown kMarkdown, .rst kRst, in any case of letters; false for other names.
bool FormatOf(std::string_view name, Format& format);

struct Heading {
  std::size_t begin = 0;  // Of its first line, in bytes,
  std::size_t end = 0;    // and behind its last one.
  std::size_t level = 1;
  std::string title;
};

// Calls take() for each, in their order, and returns its first error. Markdown: lines of # and lines underlined with =
// or -, not in fenced code nor in the front matter. reStructuredText: lines underlined with punctuation, whose levels
// are in the order of their first use. Plain text has none.
Status FindHeadings(std::string_view document, Format format, const std::function<Status(Heading)>& take);

}  // namespace thimble::sync

#endif  // THIMBLE_SYNC_HEADINGS_H_
