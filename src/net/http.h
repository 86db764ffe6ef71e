// Requests over HTTP or HTTPS with libcurl: downloads into a sink, and calls with a short reply.

#ifndef THIMBLE_NET_HTTP_H_
#define THIMBLE_NET_HTTP_H_

#ifndef CURL_DISABLE_DEPRECATION
#define CURL_DISABLE_DEPRECATION  // Older libraries lack what newer ones have instead.
#endif
#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/status.h"

namespace thimble::net {

// The functions of libcurl that are used here, without their prefix.
// clang-format off
#define THIMBLE_CURL_FUNCTIONS(F) \
  F(global_init) F(easy_init) F(easy_setopt) F(easy_perform) F(easy_getinfo) F(easy_reset) F(easy_cleanup) \
  F(easy_strerror) F(slist_append) F(slist_free_all)
// clang-format on
struct CurlLibrary {
#define THIMBLE_DECLARE_FUNCTION(name) decltype(&::curl_##name) name = nullptr;
  THIMBLE_CURL_FUNCTIONS(THIMBLE_DECLARE_FUNCTION)
#undef THIMBLE_DECLARE_FUNCTION
};

// Loads it once; it stays until the process ends. Thread-safe. kUnsupported when it is not installed.
Result<const CurlLibrary*> LoadCurl();

// "https://host:port" of a URL, in lower case; empty where there is none.
std::string OriginOf(const std::string& url);

struct HttpRequest {
  std::string url;
  std::string token;         // Sent as a bearer token to the origin of `url`, and to no other; empty is none.
  std::uint64_t offset = 0;  // The first byte that is wanted,
  std::string if_range;      // if the file still has this entity tag; empty is always.
  long idle_seconds = 30;    // Without data for this long, a request fails.
};

// A header of a reply.
struct HttpHeader {
  std::string name;  // In lower case.
  std::string value;
};

// How a request ended, whatever becomes of its body.
struct HttpResult {
  // Ok when a reply came whole, whatever its code. kCorrupt when it had too many bytes, the error of a sink, else kIo.
  Status status;
  bool lost = false;   // Whether the connection or its time was lost, so that the same request may succeed later.
  bool ended = false;  // Whether `go_on` ended it.
  long code = 0;       // 200 and so on; 0 without a reply.
  std::vector<HttpHeader> headers;

  // The value of the header of that name, in lower case; empty where there is none.
  std::string_view Header(std::string_view name) const;
};

// What the headers of a download say.
struct HttpAnswer {
  std::string etag;          // Of the body; empty unless it can be compared.
  std::string linked_etag;   // What the hub itself said of the file, before it redirected.
  std::uint64_t offset = 0;  // Of the body in the file.
};

struct HttpOutcome : HttpResult {
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

// A request of an API.
struct HttpCall {
  std::string method = "GET";  // Only a POST has a body.
  std::string url;
  std::vector<std::string> headers;  // "name: value", without line breaks.
  std::string body;
  std::size_t most_bytes = 1 << 20;  // Of the reply's body.
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds timeout = std::chrono::seconds(60);  // From the start to the last byte.
};

struct HttpReply : HttpResult {
  std::string body;
};

// A client with connections that it uses again. Move-only; Thread-compatible.
class Http {
 public:
  static Result<Http> Create();
  Http(Http&& other) noexcept;
  Http& operator=(Http&&) = delete;
  ~Http();

  // `go_on` is asked about every second, more often while data moves, and ends a request with false. Certificates are
  // verified, and proxies are those of the environment.

  // Follows a few redirects, but none from HTTPS to HTTP.
  HttpOutcome Get(const HttpRequest& request, HttpSink& sink, const std::function<bool()>& go_on);

  // Follows no redirects, and leaves a compressed body as it is.
  HttpReply Send(const HttpCall& call, const std::function<bool()>& go_on);

 private:
  Http(const CurlLibrary& curl, CURL* handle) : curl_(curl), handle_(handle) {}
  template <typename Value>
  void Set(CURLoption option, Value value) {
    curl_.easy_setopt(handle_, option, value);
  }
  void SetCommon(const std::string& url, curl_slist* headers, const std::function<bool()>& go_on, char* message);
  HttpOutcome GetOnce(const HttpRequest& request, const std::string& token, HttpSink& sink,
                      const std::function<bool()>& go_on, std::string& redirect);

  const CurlLibrary& curl_;
  CURL* handle_;
};

}  // namespace thimble::net

#endif  // THIMBLE_NET_HTTP_H_
