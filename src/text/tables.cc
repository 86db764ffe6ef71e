// The names of tables in the model file.

#include "text/tables.h"

#include <algorithm>

#include "text/kind.h"

namespace thimble::text {

Fields Kind::ListFields() {
  Fields fields;
  AddTo(fields);
  // What not every file has is behind what every file has.
  std::stable_partition(fields.begin(), fields.end(), [](const Field& field) { return !field.optional; });
  return fields;
}

void TrieTables::AddTo(Fields& fields) {
  fields.insert(fields.end(), {{"trie.labels", &labels},
                               {"trie.children", &children},
                               {"trie.first", &first},
                               {"trie.terminal", &terminal},
                               {"trie.children_rank", &children_rank},
                               {"trie.terminal_rank", &terminal_rank},
                               {"trie.first_select", &first_select},
                               {"trie.ids", &ids},
                               {"trie.ids_high", &ids_high},
                               {"nodes", &nodes},
                               {"wide_ids", &wide_ids}});
}

void NormalizerTables::AddTo(Fields& fields) {
  fields.insert(fields.end(), {{"normalizer.blocks", &blocks},
                               {"normalizer.middle", &middle},
                               {"normalizer.entries", &entries},
                               {"normalizer.pool", &pool}});
}

void AddedTables::AddTo(Fields& fields) {
  fields.insert(fields.end(), {{"added.text", &text},
                               {"added.begin", &begin},
                               {"added.ids", &ids},
                               {"added", &count},
                               {"added_raw", &raw},
                               {"added.word_chars", &word_chars, true}});
}

void TemplateTables::AddTo(Fields& fields) {
  fields.insert(fields.end(), {{"prefix", &prefix},
                               {"suffix", &suffix},
                               {"prefix_count", &prefix_count},
                               {"suffix_count", &suffix_count},
                               {"truncate_left", &truncate_left, true}});
}

}  // namespace thimble::text
