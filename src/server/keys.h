// API keys.

#ifndef THIMBLE_SERVER_KEYS_H_
#define THIMBLE_SERVER_KEYS_H_

#include <string>
#include <vector>

#include "server/http.h"
#include "thimble/status.h"

namespace thimble::server {

// Holds hashes of the keys, not the keys.
class Keys {
 public:
  // The keys in `file`, one a line, blank lines and lines that begin with # aside; none where it is empty. And those in
  // the environment's THIMBLE_API_KEYS, with commas between. kInvalidArgument for a file without a key, and for a
  // key that is not of printable ASCII.
  static Result<Keys> Load(const std::string& file);

  bool empty() const { return hashes_.empty(); }
  // Whether a request brings one of them, as Authorization: Bearer KEY, as the password of Basic, or as x-api-key.
  // Takes the same time for every key of a length.
  bool Accept(const HttpHead& head) const;

 private:
  Status Add(const std::string& key, const std::string& where);
  std::vector<std::string> hashes_;
};

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_KEYS_H_
