// Bodies of requests and replies, as the table describes them. Nothing here is sent.

#ifndef THIMBLE_BACKENDS_WIRE_H_
#define THIMBLE_BACKENDS_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/table.h"
#include "net/http.h"
#include "thimble/embedder.h"
#include "thimble/status.h"

namespace thimble::backends {

struct RequestOptions {
  std::string model;
  std::size_t dimensions = 0;
  std::string encoding;  // Empty: that of the dialect.
  std::optional<std::string> prompt_name;
  std::optional<LongTexts> long_texts;
};

// What a request holds beside its texts.
struct RequestFields {
  json::Object fields;
  std::string encoding;
};

// kUnsupported for what the dialect cannot be asked for.
Result<RequestFields> MakeFields(const Dialect& dialect, const RequestOptions& options);

// [begin, end) of each request: at most so many texts, and so many bytes unless it is one text.
std::vector<std::pair<std::size_t, std::size_t>> CutRequests(std::span<const std::string_view> texts,
                                                             std::size_t most_texts, std::size_t most_bytes);

// The body of a request. Invalid UTF-8 becomes U+FFFD.
std::string MakeBody(const Dialect& dialect, const RequestFields& fields, std::span<const std::string_view> texts);

// The most bytes that the reply to these texts can need; `dimensions` is 0 while they are not known.
std::size_t MostReplyBytes(const Dialect& dialect, std::span<const std::string_view> texts, std::size_t dimensions);

struct DecodedReply {
  std::vector<std::vector<float>> vectors;  // In the order of the texts; all of one length, which is not 0.
  std::optional<std::size_t> tokens;        // Of all of them.
};

// Reads the reply to `count` texts, 1 or more. `dimensions` is what each vector must have; 0 where that is not known.
// kCorrupt for anything that the dialect does not allow; messages begin with `where`.
Result<DecodedReply> DecodeReply(const Dialect& dialect, const net::HttpReply& reply, std::string_view encoding,
                                 std::size_t count, std::size_t dimensions, std::string_view where);

// What a provider says of itself; 0 and empty for what it does not say.
struct InfoPage {
  std::size_t most_texts = 0;
  std::size_t text_tokens = 0;
  std::string model;
};
Result<InfoPage> DecodeInfo(const Dialect& dialect, const net::HttpReply& reply, std::string_view where);

// The message in the body of an error, in one line without `key`; empty when it has none.
std::string MessageOf(const Dialect& dialect, std::string_view body, std::string_view key);

// The text with *** in place of every `key`.
std::string WithoutKey(std::string text, std::string_view key);

// What the status of an error means.
Code CodeOfStatus(long status);

}  // namespace thimble::backends

#endif  // THIMBLE_BACKENDS_WIRE_H_
