// The table of dialects: what requests and replies of providers look like. docs/backends.md says what its keys mean.

#ifndef THIMBLE_BACKENDS_TABLE_H_
#define THIMBLE_BACKENDS_TABLE_H_

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"
#include "net/retry.h"
#include "thimble/status.h"

namespace thimble::backends {

// A field of a request, and what to send in it by a name of ours. Values of null are not sent.
struct Choice {
  std::string field;
  std::map<std::string, json::Value> values;
  std::string by_default;  // A name; empty: none.
  bool any = false;        // Every name is sent as it is.
};

// Empty strings and pointers mean that there is no such thing, unless a comment says otherwise.
struct Dialect {
  std::string name;
  bool argument_is_url = false;  // Otherwise it is the model.
  std::string base_url;
  std::string base_url_variable;
  std::string bare_scheme;  // Of a base URL without a scheme,
  int bare_port = 0;        // and its port.
  std::vector<std::string> key_variables;
  bool key_required = false;
  std::string path;
  std::string texts_field;
  std::string model_field;
  std::string dimensions_field;
  json::Object fixed;  // An object.
  Choice encoding;
  std::optional<Choice> input_type;
  std::optional<Choice> long_texts;
  std::size_t most_texts = 0;
  std::size_t most_bytes = 0;
  std::size_t text_tokens = 0;  // 0: not known.

  // The page of a provider about itself.
  std::string info_path;
  std::string info_items;
  std::string info_tokens;
  std::string info_model;

  std::map<std::string, std::string> items;  // Pointers by encoding; "" is the whole reply.
  std::string vector;                        // "" is the whole item.
  std::string index;
  std::vector<std::string> tokens;
  std::string tokens_header;
  bool echo = false;
  std::vector<std::string> error;
};

struct Table {
  std::map<std::string, Dialect, std::less<>> dialects;
  std::string key_header;
  std::string key_prefix;
  std::size_t concurrency = 0;
  std::size_t request_texts = 0;
  std::chrono::milliseconds connect_timeout = {};
  std::chrono::milliseconds attempt_timeout = {};
  net::RetryPolicy retry;
  std::map<std::string, Code> errors;  // By status, "4xx" and "other".
  std::size_t reply_bytes = 0;
  std::size_t reply_bytes_of_item = 0;
  std::size_t reply_bytes_of_number = 0;
  std::size_t most_dimensions = 0;
  std::size_t reply_depth = 0;
};

// Read when it is first asked for.
const Table& TheTable();

// The value at a JSON pointer without escapes; null when there is none.
const json::Value* Find(const json::Value& value, std::string_view pointer);

}  // namespace thimble::backends

#endif  // THIMBLE_BACKENDS_TABLE_H_
