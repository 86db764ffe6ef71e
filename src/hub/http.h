// One GET over HTTP or HTTPS with libcurl.

#ifndef THIMBLE_HUB_HTTP_H_
#define THIMBLE_HUB_HTTP_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "hub/curl_library.h"
#include "thimble/status.h"

namespace thimble::hub {

struct HttpRequest {
  std::string url;
  std::string token;         // Sent as a bearer token to the origin of `url`, and to no other; empty is none.
  std::uint64_t offset = 0;  // The first byte that is wanted,
  std::string if_range;      // if the file still has this entity tag; empty is always.
};

struct HttpAnswer {
  long status = 0;
  std::string etag;          // Of the body; empty unless it can be compared.
  std::string linked_etag;   // What the hub itself said of the file, before it redirected.
  std::uint64_t offset = 0;  // Of the body in the file.
  long retry_after = 0;      // Seconds; 0 when the server did not say.
};

// How a request ended.
struct HttpOutcome {
  Status status;           // Ok when an answer came whole, whatever its status.
  bool transient = false;  // Whether the same request may succeed later.
  HttpAnswer answer;
};

// Where the body of a good answer (200 or 206) goes.
class HttpSink {
 public:
  virtual ~HttpSink() = default;
  // Called once before the first byte, if there is a good answer.
  virtual Status Begin(const HttpAnswer& answer) = 0;
  virtual Status Write(std::span<const std::byte> bytes) = 0;
};

// A client with a connection that it uses again. Move-only; Thread-compatible.
class Http {
 public:
  // `timeout_seconds` without data end a request. `go_on` is asked about every second and ends it with false.
  static Result<Http> Create(long timeout_seconds, std::function<bool()> go_on);
  Http(Http&& other) noexcept;
  Http& operator=(Http&&) = delete;
  ~Http();

  // Follows a few redirects, but none from HTTPS to HTTP. Certificates are verified.
  HttpOutcome Get(const HttpRequest& request, HttpSink& sink);

 private:
  Http(const CurlLibrary& curl, CURL* handle, long timeout_seconds, std::function<bool()> go_on)
      : curl_(curl), handle_(handle), timeout_seconds_(timeout_seconds), go_on_(std::move(go_on)) {}
  HttpOutcome GetOnce(const HttpRequest& request, const std::string& token, HttpSink& sink, std::string& redirect);

  const CurlLibrary& curl_;
  CURL* handle_;
  const long timeout_seconds_;
  std::function<bool()> go_on_;
};

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_HTTP_H_
