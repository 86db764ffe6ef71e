// Checks tables from a file before anything else uses them.

#ifndef THIMBLE_TEXT_CHECK_TABLES_H_
#define THIMBLE_TEXT_CHECK_TABLES_H_

#include <cstddef>

#include "text/tables.h"
#include "thimble/status.h"

namespace thimble::text {

// Ok when no text can lead outside the tables, into an endless loop, or to an id of `vocabulary` or more. kCorrupt,
// naming the table, otherwise.
Status CheckTables(const Tables& tables, std::size_t vocabulary);

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_CHECK_TABLES_H_
