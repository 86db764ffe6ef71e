// The page for people at GET /.

#ifndef THIMBLE_SERVER_PAGE_H_
#define THIMBLE_SERVER_PAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/catalogue.h"
#include "server/metrics.h"

namespace thimble::server {

struct PageState {
  const Catalogue& catalogue;
  Metrics::Summary counts;
  Gauges gauges;
  std::string version;
  double uptime_seconds = 0;
  // The box: the model chosen, two texts, and their cosine or why there is none.
  std::string model = {};
  std::string first = {};
  std::string second = {};
  std::optional<double> cosine = {};
  std::string error = {};
};

// A whole document, which needs nothing from elsewhere, and no script for any of its figures.
std::string StatePage(const PageState& state);

// What the document may do, for the header Content-Security-Policy.
extern const char kPagePolicy[];

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_PAGE_H_
