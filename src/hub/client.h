// Requests to the hub: what a repository holds, and its files, with retries and resumption.

#ifndef THIMBLE_HUB_CLIENT_H_
#define THIMBLE_HUB_CLIENT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "hub/listing.h"
#include "hub/settings.h"
#include "net/http.h"
#include "thimble/status.h"

namespace thimble::hub {

// Move-only; Thread-compatible.
class Client {
 public:
  // `go_on` is asked several times a second and ends a request with false.
  static Result<Client> Create(Settings settings, std::function<bool()> go_on);

  // What ORGANISATION/NAME holds at a branch, a tag or a commit.
  Result<Listing> List(const std::string& repository, const std::string& revision);

  // Gets a file of the repository to `path`, which it has only when it is complete and as the hub states. What arrived
  // before a network failure stays beside it, and a later call resumes there. `on_bytes` is told how many
  // bytes are there. `*resumable` is false after a failure of this machine's disk.
  Status Download(const std::string& repository, const std::string& commit, const HubFile& file,
                  const std::string& path, const std::function<void(std::uint64_t)>& on_bytes, bool* resumable);

 private:
  Client(Settings settings, net::Http http, std::function<bool()> go_on)
      : settings_(std::move(settings)), http_(std::move(http)), go_on_(std::move(go_on)) {}
  // Sends a request until it succeeds, cannot, or has failed too often in a row; `prepare` is called before each time
  // and `progressed` says after it whether a lot came. Ok only with a good answer.
  net::HttpOutcome Try(const std::string& what, net::HttpRequest request, net::HttpSink& sink,
                       const std::function<void(net::HttpRequest&)>& prepare, const std::function<bool()>& progressed);
  Status AnswerError(const net::HttpResult& answer, const std::string& what) const;

  Settings settings_;
  net::Http http_;
  std::function<bool()> go_on_;
};

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_CLIENT_H_
