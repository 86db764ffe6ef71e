// A request and a reply as the routes see them: no sockets, no library.

#ifndef THIMBLE_SERVER_HTTP_H_
#define THIMBLE_SERVER_HTTP_H_

#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace thimble::server {

// What is known of a request once its header was read.
struct HttpHead {
  std::string method;  // "GET", "POST".
  std::string path;    // Decoded, without the query.
  std::string query;   // As it was sent.
  std::string authorization;
  std::string api_key;  // x-api-key.
  std::string accept;
  std::string content_encoding;
  std::string request_id;  // x-request-id, where it can stand in a log.
};

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  bool close = false;  // Whether the connection ends with it.
};

// The value of a field of a query or a form, with its escapes resolved; empty when there is none.
std::string QueryField(const std::string& query, const std::string& name);
// `text` in small letters.
std::string Lower(std::string text);
// Resolves %XX, and + where `form`; a % that begins no escape stays.
std::string PercentDecode(const std::string& text, bool form);

// What the server does while memory is exhausted: it waits, and sends a reply that was prepared in advance.

// For a thread that can neither continue nor hand over its work until others release memory.
inline void WaitForMemory() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

// The reply to a request that ended before it had one of its own.
inline constexpr char kExhausted[] =
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    "connection: close\r\n\r\n"
    "{\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\",\"param\":null,\"code\":null},"
    "\"detail\":\"out of memory\"}";

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_HTTP_H_
