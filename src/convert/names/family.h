// How a family of models spells what thimble describes: the keys of its config.json and the names of its tensors.

#ifndef THIMBLE_CONVERT_NAMES_FAMILY_H_
#define THIMBLE_CONVERT_NAMES_FAMILY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "model/architecture.h"

namespace thimble::convert {

// A bias of attention by the distance of the key from the query, in buckets: all layers share one table with a row for
// each bucket and a column for each head. Bucket i of keys before the query, or at it, begins at distance starts[i],
// and the buckets of keys behind it follow in the same way.
struct DistanceBuckets {
  std::string_view tensor;
  const char* rows;  // Of config.json: the rows of the table, of which some may not be used.
  std::uint64_t default_rows;
  std::span<const std::uint16_t> starts;

  std::size_t used_rows() const { return 2 * starts.size(); }
  // Beyond it all is in the last bucket.
  std::size_t reach() const { return starts.back(); }
  // Of distance key - query.
  std::size_t RowOf(std::ptrdiff_t distance) const;
};

struct Family {
  struct Text {
    const char *key, *value;
  };
  struct Weights {
    const char *step, *tensors[3];  // Of a Program; query, key and value, or one.
  };

  std::string_view name;          // model_type of config.json, and the architecture of a model file.
  std::string_view class_prefix;  // Of the names of its classes, which `architectures` of config.json lists.

  // config.json.
  std::span<const model::NamedSize> sizes;
  std::span<const Text> required = {};  // What must be so, or absent.
  const char *activation, *default_activation = "gelu";
  const char* epsilon = nullptr;  // Null: always the default.
  double default_epsilon = 1e-12;
  const char* token_types = nullptr;  // Null: there are none.
  std::uint64_t default_token_types = 0;
  // Of the pad token's id where positions are padded: then max_position_embeddings counts the rows up to that of the
  // pad token too, whose number is its id. Empty: always the default. Null: positions are counted from row 0.
  const char* pad_id = nullptr;
  std::uint64_t default_pad_id = 0;

  // Tensors.
  std::string_view prefix;          // Before all names, in a checkpoint with a head.
  std::span<const Text> old_names;  // Ends of names, and those of today.
  // Without ".weight" and ".bias", as all that follow; `types` may be empty.
  std::string_view words, positions, types = "", embedding_norm;
  std::string_view layer;  // Before the number of a layer.
  std::span<const Weights> steps;
  const DistanceBuckets* buckets = nullptr;  // Null for none.
  // Of a checkpoint for classification, from the first token's vector to scores: a dense layer with its activation, and
  // the scores.
  struct Classifier {
    std::string_view dense;
    kernels::Activation activation;
    std::string_view scores;
  } classifier = {};

  // What is before the names of a layer's tensors,
  std::string PrefixOf(std::size_t index) const;
  // and that of a step behind it; query, key and value are parts 0 to 2.
  std::string TensorOf(std::string_view step, std::size_t part = 0) const;
};

std::span<const Family* const> Families();
// Null for a model_type that thimble does not know.
const Family* FindFamily(std::string_view model_type);
// That of a class of transformers, for example "BertForMaskedLM"; null for one that thimble does not know.
const Family* FindFamilyOfClass(std::string_view name);
// What a model_type needs that thimble lacks; empty where it is not known.
std::string_view MissingFor(std::string_view model_type);
// All that it knows, for messages: "\"a\" or \"b\"".
std::string FamilyNames();

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_NAMES_FAMILY_H_
