// Transfers, their headers, and redirects, which are followed here so that a token goes to one origin only.

#include "hub/http.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/guard.h"

namespace thimble::hub {
namespace {

constexpr int kMaxRedirects = 5;
constexpr long kConnectSeconds = 30;
// Slower than this counts as no data.
constexpr long kLowBytesPerSecond = 100;
constexpr std::size_t kMaxTagBytes = 256;

bool IsGood(long status) { return status == 200 || status == 206; }
bool IsRedirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}
bool IsTransient(long status) { return status == 408 || status == 429 || status >= 500; }

bool IsTransient(CURLcode code) {
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

// "https://host:port" of a URL, in lower case.
std::string OriginOf(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return "";
  return LowerCase(std::string_view(url).substr(0, url.find_first_of("/?#", scheme + 3)));
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

// An entity tag as it is; empty for one that is too long to be true.
std::string Tag(std::string_view value) { return value.size() > kMaxTagBytes ? std::string() : std::string(value); }

// One request and its answer, as libcurl's callbacks see it.
struct Transfer {
  const CurlLibrary& curl;
  CURL* handle;
  const HttpRequest& request;
  HttpSink& sink;
  const std::function<bool()>& go_on;
  HttpAnswer answer = {};
  Status status = {};  // Why a callback ended the transfer.
  bool begun = false;

  Status Header(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      answer = {};
      return Status();
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return Status();
    const std::string name = LowerCase(line.substr(0, colon));
    const std::string_view value = Trimmed(line.substr(colon + 1));
    if (name == "etag" && value.starts_with('"')) answer.etag = Tag(value);  // Others are weak and cannot be compared.
    if (name == "x-linked-etag") answer.linked_etag = Tag(value);
    if (name == "content-range") {
      constexpr std::string_view kBytes = "bytes ";
      const char *begin = value.data() + std::min(kBytes.size(), value.size()), *end = value.data() + value.size();
      auto [stop, error] = std::from_chars(begin, end, answer.offset);
      if (!value.starts_with(kBytes) || error != std::errc() || stop == end || *stop != '-') answer.offset = 0;
    }
    return Status();
  }

  Status Begin() {
    if (std::exchange(begun, true)) return Status();
    curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
    if (!IsGood(answer.status)) return Error(Code::kIo, "");  // The body is of no interest, and ends the transfer.
    if (answer.status == 200) answer.offset = 0;
    if (answer.status == 206 && answer.offset != request.offset) {
      return Error(Code::kCorrupt, OriginOf(request.url), ": asked for bytes from ", request.offset,
                   " on, got those from ", answer.offset, " on");
    }
    return sink.Begin(answer);
  }

  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    transfer->status = Guarded([&] { return transfer->Header({data, size * count}); });
    return transfer->status.ok() ? size * count : 0;
  }
  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    transfer->status = Guarded([&]() -> Status {
      THIMBLE_RETURN_IF_ERROR(transfer->Begin());
      return transfer->sink.Write(std::as_bytes(std::span(data, size * count)));
    });
    return transfer->status.ok() ? size * count : 0;
  }
  static int OnProgress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(self)->go_on() ? 0 : 1;
  }
};

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

Result<Http> Http::Create(long timeout_seconds, std::function<bool()> go_on) {
  THIMBLE_ASSIGN_OR_RETURN(const CurlLibrary* curl, LoadCurl());
  CURL* handle = curl->easy_init();
  if (handle == nullptr) return Error(Code::kOutOfMemory, "libcurl gave no handle");
  return Http(*curl, handle, timeout_seconds, std::move(go_on));
}

Http::Http(Http&& other) noexcept
    : curl_(other.curl_),
      handle_(std::exchange(other.handle_, nullptr)),
      timeout_seconds_(other.timeout_seconds_),
      go_on_(std::move(other.go_on_)) {}

Http::~Http() {
  if (handle_ != nullptr) curl_.easy_cleanup(handle_);
}

HttpOutcome Http::Get(const HttpRequest& request, HttpSink& sink) {
  HttpRequest step = request;
  std::string linked_etag;
  for (int redirects = 0;; ++redirects) {
    const bool same_origin = OriginOf(step.url) == OriginOf(request.url);
    std::string redirect;
    HttpOutcome outcome = GetOnce(step, same_origin ? request.token : std::string(), sink, redirect);
    if (linked_etag.empty() && same_origin) linked_etag = outcome.answer.linked_etag;
    outcome.answer.linked_etag = linked_etag;
    if (!outcome.status.ok() || !IsRedirect(outcome.answer.status)) return outcome;
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

HttpOutcome Http::GetOnce(const HttpRequest& request, const std::string& token, HttpSink& sink, std::string& redirect) {
  Transfer transfer{curl_, handle_, request, sink, go_on_};
  Headers headers(curl_);
  if (!token.empty()) headers.Add("Authorization: Bearer " + token);
  if (request.offset > 0) {
    headers.Add("Range: bytes=" + std::to_string(request.offset) + "-");
    if (!request.if_range.empty()) headers.Add("If-Range: " + request.if_range);
  }
  std::array<char, CURL_ERROR_SIZE> message = {};
  const auto set = [&](CURLoption option, auto value) { curl_.easy_setopt(handle_, option, value); };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_HTTPHEADER, headers.list());
  set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, "thimble/" THIMBLE_VERSION);
  set(CURLOPT_CONNECTTIMEOUT, std::min(kConnectSeconds, timeout_seconds_));
  set(CURLOPT_LOW_SPEED_LIMIT, kLowBytesPerSecond);
  set(CURLOPT_LOW_SPEED_TIME, timeout_seconds_);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &Transfer::OnProgress);
  set(CURLOPT_XFERINFODATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_ERRORBUFFER, message.data());
  const CURLcode code = curl_.easy_perform(handle_);
  set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(nullptr));

  HttpOutcome outcome;
  curl_.easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &transfer.answer.status);
  const long status = transfer.answer.status;
  if (code == CURLE_OK && IsGood(status) && !transfer.begun) transfer.status = transfer.Begin();  // An empty body.
  curl_off_t retry_after = 0;
  if (curl_.easy_getinfo(handle_, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK) {
    transfer.answer.retry_after = static_cast<long>(std::clamp<curl_off_t>(retry_after, 0, 1 << 20));
  }
  outcome.answer = transfer.answer;
  if (status != 0 && !IsGood(status)) {  // However its body ended.
    outcome.transient = IsTransient(status);
    char* url = nullptr;
    if (IsRedirect(status) && curl_.easy_getinfo(handle_, CURLINFO_REDIRECT_URL, &url) == CURLE_OK && url != nullptr) {
      redirect = url;
    }
  } else if (!transfer.status.ok()) {
    outcome.status = transfer.status;
  } else if (code == CURLE_ABORTED_BY_CALLBACK) {
    outcome.status = Error(Code::kIo, "the download was ended");
  } else if (code != CURLE_OK) {
    outcome.status =
        Error(Code::kIo, OriginOf(request.url), ": ", message[0] == '\0' ? curl_.easy_strerror(code) : &message[0]);
    outcome.transient = IsTransient(code);
  }
  return outcome;
}

}  // namespace thimble::hub
