// Retries with growing waits, and what answers of the hub mean.

#include "hub/client.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.h"
#include "hub/partial_file.h"
#include "net/retry.h"

namespace thimble::hub {
namespace {

// Of one file, however much comes between failures.
constexpr int kMaxRequests = 100;
// After this much, a failure does not count as one in a row.
constexpr std::uint64_t kProgressBytes = 64 << 10;

const net::RetryPolicy& Policy() {
  static const net::RetryPolicy policy = {.codes = {408, 429}};
  return policy;
}

// For a part of a path.
std::string Escaped(const std::string& text) {
  constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string escaped;
  for (const char letter : text) {
    if (kUnreserved.find(letter) != std::string_view::npos) {
      escaped += letter;
    } else {
      const auto byte = static_cast<unsigned char>(letter);
      escaped += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return escaped;
}

std::string EscapedPath(const std::string& path) {
  std::string escaped;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    escaped += (begin == 0 ? "" : "/") + Escaped(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return escaped;
}

// A short answer in memory.
class TextSink final : public net::HttpSink {
 public:
  TextSink(std::size_t limit, const std::string& what) : limit_(limit), what_(what) {}
  Status Begin(const net::HttpAnswer&) override {
    text_.clear();
    return Status();
  }
  Status Write(std::span<const std::byte> bytes) override {
    if (bytes.size() > limit_ - text_.size()) {
      return Error(Code::kCorrupt, what_, ": the hub's answer has more than ", limit_, " bytes");
    }
    text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Status();
  }
  const std::string& text() const { return text_; }

 private:
  const std::size_t limit_;
  const std::string& what_;
  std::string text_;
};

}  // namespace

Result<Client> Client::Create(Settings settings, std::function<bool()> go_on) {
  THIMBLE_ASSIGN_OR_RETURN(net::Http http, net::Http::Create());
  return Client(std::move(settings), std::move(http), std::move(go_on));
}

Status Client::AnswerError(const net::HttpResult& answer, const std::string& what) const {
  const std::string from = what + ": " + settings_.endpoint + " answered " + std::to_string(answer.code);
  switch (answer.code) {
    case 401:
    case 403:
      return Error(Code::kIo, from, ": not found, or ",
                   settings_.token.empty() ? "access needs a token: set HF_TOKEN or run hf auth login"
                                           : "the token does not give access to it");
    case 404:
      return Error(Code::kNotFound, from, ": not found");
    case 429:
    case 503:
      if (const auto asked = net::AskedDelay(Policy(), answer, std::chrono::system_clock::now())) {
        return Error(Code::kOverloaded, from, ": busy; try again in ",
                     std::chrono::ceil<std::chrono::seconds>(*asked).count(), " s");
      }
      return Error(Code::kOverloaded, from, ": busy; try again later");
    default:
      return Error(Code::kIo, from);
  }
}

net::HttpOutcome Client::Try(const std::string& what, net::HttpRequest request, net::HttpSink& sink,
                             const std::function<void(net::HttpRequest&)>& prepare,
                             const std::function<bool()>& progressed) {
  request.token = settings_.token;
  request.idle_seconds = settings_.timeout_seconds;
  int failures = 0;
  for (int requests = 1;; ++requests) {
    prepare(request);
    net::HttpOutcome outcome = http_.Get(request, sink, go_on_);
    if (outcome.status.ok() && (outcome.code == 200 || outcome.code == 206)) return outcome;
    failures = progressed() ? 1 : failures + 1;
    const auto asked = net::AskedDelay(Policy(), outcome, std::chrono::system_clock::now());
    const auto delay = asked.value_or(net::BackoffDelay(Policy(), failures, net::RandomPart()));
    const bool again = net::IsWorthRetrying(Policy(), outcome) && failures < Policy().attempts &&
                       requests < kMaxRequests && delay <= Policy().most_after;
    outcome.status = outcome.status.ok() ? AnswerError(outcome, what)
                                         : Error(outcome.status.code(), what, ": ", outcome.status.message());
    if (!again) return outcome;
    net::Wait(delay, go_on_);
    if (!go_on_()) {
      outcome.status = Error(Code::kIo, "the download was ended");
      return outcome;
    }
  }
}

Result<Listing> Client::List(const std::string& repository, const std::string& revision) {
  const std::string what = "model \"" + repository + "\", revision \"" + revision + "\"";
  TextSink sink(kMaxListingBytes, what);
  const std::string url =
      settings_.endpoint + "/api/models/" + repository + "/revision/" + Escaped(revision) + "?blobs=true";
  const net::HttpOutcome outcome =
      Try(what, {.url = url, .token = {}, .if_range = {}}, sink, [](net::HttpRequest&) {}, [] { return false; });
  if (!outcome.status.ok()) return outcome.status;
  return ParseListing(sink.text(), what);
}

Status Client::Download(const std::string& repository, const std::string& commit, const HubFile& file,
                        const std::string& path, const std::function<void(std::uint64_t)>& on_bytes, bool* resumable) {
  const std::string what = "\"" + file.name + "\" of model \"" + repository + "\"";
  const std::string url = settings_.endpoint + "/" + repository + "/resolve/" + commit + "/" + EscapedPath(file.name);
  *resumable = false;
  THIMBLE_ASSIGN_OR_RETURN(PartialFile part, PartialFile::Open(path, file, on_bytes));
  for (;;) {
    const bool from_before = part.size() > 0;
    std::string linked_etag;
    if (!part.HasAll()) {
      std::uint64_t before = 0;
      auto prepare = [&](net::HttpRequest& request) {
        before = part.size();
        request.offset = part.size();
        request.if_range = part.etag();
      };
      auto progressed = [&] { return part.size() >= before + kProgressBytes; };
      const net::HttpOutcome outcome = Try(what, {.url = url, .token = {}, .if_range = {}}, part, prepare, progressed);
      *resumable = !part.disk_failed();
      if (outcome.code == 416 && from_before) {  // There is more here than there.
        THIMBLE_RETURN_IF_ERROR(part.Clear());
        continue;
      }
      THIMBLE_RETURN_IF_ERROR(outcome.status);
      linked_etag = outcome.answer.linked_etag;
    }
    *resumable = false;
    THIMBLE_ASSIGN_OR_RETURN(std::string difference, part.Difference(linked_etag));
    if (difference.empty()) return part.Finish();
    THIMBLE_RETURN_IF_ERROR(part.Clear());
    *resumable = true;  // The other files are.
    // What was here before may be at fault.
    if (!from_before) return Error(Code::kCorrupt, what, ": ", difference);
  }
}

}  // namespace thimble::hub
