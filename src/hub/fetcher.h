// Gets the files of a repository that a conversion reads, the small ones first.

#ifndef THIMBLE_HUB_FETCHER_H_
#define THIMBLE_HUB_FETCHER_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "hub/client.h"
#include "hub/convert_source.h"
#include "hub/listing.h"
#include "hub/reporter.h"

namespace thimble::hub {

// For one call of Fetch. Keeps its arguments.
class Fetcher {
 public:
  // Of `listing`, a commit of `repository`, into `folder`.
  Fetcher(const std::string& repository, const Product& product, const Listing& listing, const std::string& folder,
          Client& client, Reporter& reporter)
      : repository_(repository),
        product_(product),
        listing_(listing),
        folder_(folder),
        client_(client),
        reporter_(reporter) {}

  Status Fetch();
  // Whether a failure left something to go on from.
  bool resumable() const { return resumable_; }

 private:
  // Which repository an error is of.
  template <typename T>
  Result<T> Said(Result<T> result) const {
    if (result.ok() || !said_) return result;
    return Error(result.status().code(), What(), ": ", result.status().message());
  }
  std::string What() const { return "model \"" + repository_ + "\", commit " + listing_.commit; }
  Status Count(const std::vector<std::string>& names);
  // Once in this call.
  Status Get(const std::string& name);

  const std::string& repository_;
  const Product& product_;
  const Listing& listing_;
  const std::string& folder_;
  Client& client_;
  Reporter& reporter_;
  std::set<std::string> done_;
  std::uint64_t bytes_ = 0;
  bool resumable_ = false;
  bool said_ = true;  // Errors do not name the repository yet.
};

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_FETCHER_H_
