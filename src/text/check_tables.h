// Checks tables from a file before anything else uses them. All give kCorrupt, naming the table.

#ifndef THIMBLE_TEXT_CHECK_TABLES_H_
#define THIMBLE_TEXT_CHECK_TABLES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "text/tables.h"
#include "thimble/status.h"

namespace thimble::text {

Status CorruptTable(std::string_view table, std::string_view what);
// Whether an array has the elements that it needs.
Status CheckLength(std::string_view table, std::size_t length, std::uint64_t need);
Status CheckAtMost(std::string_view number, std::uint32_t value, std::uint32_t limit);
Status CheckIds(std::string_view table, std::span<const std::uint32_t> ids, std::size_t vocabulary);

// Ok when nothing can lead outside the tables, into an endless loop, or to an id of `vocabulary` or more.
Status CheckTrie(const TrieTables& tables, std::size_t vocabulary);
Status CheckNormalizer(const NormalizerTables& tables);
Status CheckAdded(const AddedTables& tables, std::size_t vocabulary);
Status CheckTemplate(const TemplateTables& tables, std::size_t vocabulary);

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_CHECK_TABLES_H_
