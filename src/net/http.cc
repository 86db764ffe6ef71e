// Transfers, their headers, and redirects, which are followed here so that a token goes to one origin only.

#include "net/http.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "base/shared_library.h"

namespace thimble::net {
namespace {

#if defined(__APPLE__)
constexpr const char* kNames[] = {"libcurl.4.dylib"};
constexpr const char* kAdvice = "it is a part of macOS";
#else
constexpr const char* kNames[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
constexpr const char* kAdvice = "install libcurl4 (Debian, Ubuntu) or libcurl (Alpine, Fedora)";
#endif

Result<CurlLibrary> Load() {
  const Result<void*> library = base::LoadSharedLibrary(kNames);
  if (!library.ok()) {
    return Error(Code::kUnsupported, "HTTP needs libcurl: ", kAdvice, " (", library.status().message(), ")");
  }
  CurlLibrary curl;
  bool whole = true;
#define THIMBLE_FIND_FUNCTION(name) whole &= base::FindFunction(*library, "curl_" #name, curl.name);
  THIMBLE_CURL_FUNCTIONS(THIMBLE_FIND_FUNCTION)
#undef THIMBLE_FIND_FUNCTION
  if (!whole) {
    return Error(Code::kUnsupported, "the libcurl of this system lacks functions: ", kAdvice);
  }
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return Error(Code::kIo, "libcurl could not be initialised");
  return curl;
}

constexpr int kMaxRedirects = 5;
constexpr long kConnectSeconds = 30;
// Slower than this counts as no data.
constexpr long kLowBytesPerSecond = 100;
constexpr std::size_t kMaxTagBytes = 256;
constexpr std::size_t kMaxHeaderBytes = 64 << 10;

bool IsGood(long status) { return status == 200 || status == 206; }
bool IsRedirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool IsLoss(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& letter : lower) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return lower;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// The headers of one reply, within limits.
struct HeaderLines {
  std::vector<HttpHeader> headers = {};
  std::size_t bytes = 0;

  // An answer of a proxy or one that says to go on comes before the reply's own.
  Status Add(std::string_view line) {
    if (line.starts_with("HTTP/")) headers.clear();
    if ((bytes += line.size()) > kMaxHeaderBytes) {
      return Error(Code::kCorrupt, "more than ", kMaxHeaderBytes, " bytes of headers");
    }
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      headers.push_back({LowerCase(line.substr(0, colon)), std::string(Trimmed(line.substr(colon + 1)))});
    }
    return Status();
  }
};

// An entity tag as it is; empty for one that is too long to be true.
std::string Tag(std::string_view value) { return value.size() > kMaxTagBytes ? std::string() : std::string(value); }

HttpAnswer AnswerOf(const HttpResult& result) {
  HttpAnswer answer;
  const std::string_view etag = result.Header("etag");
  if (etag.starts_with('"')) answer.etag = Tag(etag);  // Others are weak and cannot be compared.
  answer.linked_etag = Tag(result.Header("x-linked-etag"));
  constexpr std::string_view kBytes = "bytes ";
  const std::string_view range = result.Header("content-range");
  if (result.code == 206 && range.starts_with(kBytes)) {
    const char *begin = range.data() + kBytes.size(), *end = range.data() + range.size();
    auto [stop, error] = std::from_chars(begin, end, answer.offset);
    if (error != std::errc() || stop == end || *stop != '-') answer.offset = 0;
  }
  return answer;
}

// One request and its answer, as libcurl's callbacks see it.
struct Transfer {
  const CurlLibrary& curl;
  CURL* handle;
  const HttpRequest& request;
  HttpSink& sink;
  HeaderLines lines = {};
  HttpOutcome outcome = {};  // Its status is why a callback ended the transfer.
  bool begun = false;

  // Reads what is known of the reply.
  void Read() {
    curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &outcome.code);
    outcome.headers = lines.headers;
    outcome.answer = AnswerOf(outcome);
  }

  Status Begin() {
    if (std::exchange(begun, true)) return Status();
    Read();
    if (!IsGood(outcome.code)) return Error(Code::kIo, "");  // The body is of no interest, and ends the transfer.
    if (outcome.code == 206 && outcome.answer.offset != request.offset) {
      return Error(Code::kCorrupt, OriginOf(request.url), ": asked for bytes from ", request.offset,
                   " on, got those from ", outcome.answer.offset, " on");
    }
    return sink.Begin(outcome.answer);
  }

  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    transfer->outcome.status = base::Guarded([&] { return transfer->lines.Add({data, size * count}); });
    return transfer->outcome.status.ok() ? size * count : 0;
  }
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    transfer->outcome.status = base::Guarded([&]() -> Status {
      THIMBLE_RETURN_IF_ERROR(transfer->Begin());
      return transfer->sink.Write(std::as_bytes(std::span(data, size * count)));
    });
    return transfer->outcome.status.ok() ? size * count : 0;
  }
};

// One call and its reply, as libcurl's callbacks see it.
struct Exchange {
  const std::size_t most_bytes;
  HeaderLines lines = {};
  HttpReply reply = {};

  Status Body(std::string_view bytes) {
    if (bytes.size() > most_bytes - reply.body.size()) {
      return Error(Code::kCorrupt, "more than ", most_bytes, " bytes of reply");
    }
    reply.body += bytes;
    return Status();
  }

  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    exchange->reply.status = base::Guarded([&] { return exchange->lines.Add({data, size * count}); });
    return exchange->reply.status.ok() ? size * count : 0;
  }
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    exchange->reply.status = base::Guarded([&] { return exchange->Body({data, size * count}); });
    return exchange->reply.status.ok() ? size * count : 0;
  }
};

int OnProgress(void* go_on, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  // No exception passes through libcurl, which is C.
  bool goes_on = false;
  const Status status = base::Guarded([&] {
    goes_on = (*static_cast<std::function<bool()>*>(go_on))();
    return Status();
  });
  return status.ok() && goes_on ? 0 : 1;
}

// A list of request headers.
class Headers {
 public:
  explicit Headers(const CurlLibrary& curl) : curl_(curl) {}
  Headers(const Headers&) = delete;
  Headers& operator=(const Headers&) = delete;
  ~Headers() { curl_.slist_free_all(list_); }
  void Add(const std::string& line) {
    if (curl_slist* longer = curl_.slist_append(list_, line.c_str()); longer != nullptr) list_ = longer;
  }
  curl_slist* list() const { return list_; }

 private:
  const CurlLibrary& curl_;
  curl_slist* list_ = nullptr;
};

}  // namespace

Result<const CurlLibrary*> LoadCurl() {
  static const Result<CurlLibrary> library = Load();
  if (!library.ok()) return library.status();
  return &*library;
}

std::string OriginOf(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return "";
  return LowerCase(std::string_view(url).substr(0, url.find_first_of("/?#", scheme + 3)));
}

std::string_view HttpResult::Header(std::string_view name) const {
  for (const HttpHeader& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

Result<Http> Http::Create() {
  THIMBLE_ASSIGN_OR_RETURN(const CurlLibrary* curl, LoadCurl());
  CURL* handle = curl->easy_init();
  if (handle == nullptr) return Error(Code::kOutOfMemory, "libcurl gave no handle");
  return Http(*curl, handle);
}

Http::Http(Http&& other) noexcept : curl_(other.curl_), handle_(std::exchange(other.handle_, nullptr)) {}

Http::~Http() {
  if (handle_ != nullptr) curl_.easy_cleanup(handle_);
}

HttpOutcome Http::Get(const HttpRequest& request, HttpSink& sink, const std::function<bool()>& go_on) {
  HttpRequest step = request;
  std::string linked_etag;
  for (int redirects = 0;; ++redirects) {
    const bool same_origin = OriginOf(step.url) == OriginOf(request.url);
    std::string redirect;
    HttpOutcome outcome = GetOnce(step, same_origin ? request.token : std::string(), sink, go_on, redirect);
    if (linked_etag.empty() && same_origin) linked_etag = outcome.answer.linked_etag;
    outcome.answer.linked_etag = linked_etag;
    if (!outcome.status.ok() || !IsRedirect(outcome.code)) return outcome;
    if (redirects == kMaxRedirects) {
      outcome.status = Error(Code::kIo, OriginOf(step.url), ": more than ", kMaxRedirects, " redirects");
      return outcome;
    }
    const std::string origin = OriginOf(redirect);
    const bool secure = origin.starts_with("https://");
    if (!secure && (!origin.starts_with("http://") || OriginOf(step.url).starts_with("https://"))) {
      outcome.status = Error(Code::kIo, OriginOf(step.url), ": expected a redirect to ",
                             OriginOf(step.url).starts_with("https://") ? "https" : "http or https", ", found ",
                             redirect.empty() ? std::string("none") : "one to " + origin.substr(0, origin.find(':')));
      return outcome;
    }
    step.url = std::move(redirect);
  }
}

// Connections stay, every option is set anew.
void Http::SetCommon(const std::string& url, curl_slist* headers, const std::function<bool()>& go_on, char* message) {
  curl_.easy_reset(handle_);
  Set(CURLOPT_URL, url.c_str());
  Set(CURLOPT_HTTPHEADER, headers);
  Set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
  Set(CURLOPT_FOLLOWLOCATION, 0L);
  Set(CURLOPT_SSL_VERIFYPEER, 1L);
  Set(CURLOPT_SSL_VERIFYHOST, 2L);
  Set(CURLOPT_NOSIGNAL, 1L);
  Set(CURLOPT_USERAGENT, "thimble/" THIMBLE_VERSION);
  Set(CURLOPT_NOPROGRESS, 0L);
  Set(CURLOPT_XFERINFOFUNCTION, &OnProgress);
  Set(CURLOPT_XFERINFODATA, const_cast<std::function<bool()>*>(&go_on));
  Set(CURLOPT_ERRORBUFFER, message);
}

HttpReply Http::Send(const HttpCall& call, const std::function<bool()>& go_on) {
  Exchange exchange{call.most_bytes};
  Headers headers(curl_);
  for (const std::string& header : call.headers) headers.Add(header);
  headers.Add("Expect:");  // Servers need not be asked whether they take a body.
  std::array<char, CURL_ERROR_SIZE> message = {};
  SetCommon(call.url, headers.list(), go_on, message.data());
  Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(call.connect_timeout.count()));
  Set(CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
  Set(CURLOPT_HEADERFUNCTION, &Exchange::OnHeader);
  Set(CURLOPT_HEADERDATA, &exchange);
  Set(CURLOPT_WRITEFUNCTION, &Exchange::OnBody);
  Set(CURLOPT_WRITEDATA, &exchange);
  if (call.method == "POST") {
    Set(CURLOPT_POST, 1L);
    Set(CURLOPT_POSTFIELDS, call.body.data());
    Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  }
  const CURLcode code = curl_.easy_perform(handle_);
  curl_.easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &exchange.reply.code);
  curl_.easy_reset(handle_);

  HttpReply reply = std::move(exchange.reply);
  reply.headers = std::move(exchange.lines.headers);
  if (!reply.status.ok()) return reply;
  if (code == CURLE_ABORTED_BY_CALLBACK) {
    reply.ended = true;
    reply.status = Error(Code::kIo, "the request was aborted");
  } else if (code != CURLE_OK) {
    reply.lost = IsLoss(code);
    reply.status = Error(Code::kIo, message[0] == '\0' ? curl_.easy_strerror(code) : &message[0]);
  }
  return reply;
}

HttpOutcome Http::GetOnce(const HttpRequest& request, const std::string& token, HttpSink& sink,
                          const std::function<bool()>& go_on, std::string& redirect) {
  Transfer transfer{curl_, handle_, request, sink};
  Headers headers(curl_);
  if (!token.empty()) headers.Add("Authorization: Bearer " + token);
  if (request.offset > 0) {
    headers.Add("Range: bytes=" + std::to_string(request.offset) + "-");
    if (!request.if_range.empty()) headers.Add("If-Range: " + request.if_range);
  }
  std::array<char, CURL_ERROR_SIZE> message = {};
  SetCommon(request.url, headers.list(), go_on, message.data());
  Set(CURLOPT_CONNECTTIMEOUT, std::min(kConnectSeconds, request.idle_seconds));
  Set(CURLOPT_LOW_SPEED_LIMIT, kLowBytesPerSecond);
  Set(CURLOPT_LOW_SPEED_TIME, request.idle_seconds);
  Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  Set(CURLOPT_HEADERDATA, &transfer);
  Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  Set(CURLOPT_WRITEDATA, &transfer);
  const CURLcode code = curl_.easy_perform(handle_);
  Set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
  Set(CURLOPT_ERRORBUFFER, static_cast<char*>(nullptr));

  if (!transfer.begun) transfer.Read();
  HttpOutcome& outcome = transfer.outcome;
  if (code == CURLE_OK && IsGood(outcome.code) && !transfer.begun) outcome.status = transfer.Begin();  // An empty body.
  if (outcome.code != 0 && !IsGood(outcome.code)) {  // However its body ended.
    outcome.status = Status();
    char* url = nullptr;
    if (IsRedirect(outcome.code) && curl_.easy_getinfo(handle_, CURLINFO_REDIRECT_URL, &url) == CURLE_OK &&
        url != nullptr) {
      redirect = url;
    }
  } else if (!outcome.status.ok()) {
    return outcome;
  } else if (code == CURLE_ABORTED_BY_CALLBACK) {
    outcome.ended = true;
    outcome.status = Error(Code::kIo, "the download was ended");
  } else if (code != CURLE_OK) {
    outcome.lost = IsLoss(code);
    outcome.status =
        Error(Code::kIo, OriginOf(request.url), ": ", message[0] == '\0' ? curl_.easy_strerror(code) : &message[0]);
  }
  return outcome;
}

}  // namespace thimble::net
